import { KvmimgError } from '../../errors.ts';
import { type InstallerMessage, type InstallerVoice, serialTag } from './installer-voice.ts';
import { findScriptFailure, saidWith } from './known-failures.ts';

/**
 * d-i's main menu items in the order of an install, what they do in plain words, and how far the install is when one
 * is selected (seconds measured under emulation, as a part of the whole).
 */
const menuItems: Readonly<Record<string, { readonly activity: string; readonly fraction: number }>> = {
  'choose-mirror': { activity: 'choosing the mirror', fraction: 0.09 },
  'download-installer': { activity: 'loading installer components', fraction: 0.1 },
  'user-setup-udeb': { activity: 'setting up users', fraction: 0.12 },
  'clock-setup': { activity: 'setting the clock', fraction: 0.12 },
  'disk-detect': { activity: 'looking for disks', fraction: 0.13 },
  'partman-base': { activity: 'partitioning', fraction: 0.14 },
  'bootstrap-base': { activity: 'installing the base system', fraction: 0.18 },
  'apt-setup-udeb': { activity: 'configuring apt', fraction: 0.55 },
  pkgsel: { activity: 'installing packages', fraction: 0.57 },
  nobootloader: { activity: 'packages are installed', fraction: 0.88 },
  'finish-install': { activity: 'making the initramfs and the boot loaders', fraction: 0.89 },
};

const helpPrompt = /Prompt: '\?' for help/;
const enterPrompt = /^\[Press enter to continue\]/;

function readActivity(message: InstallerMessage): { activity: string; fraction?: number } | undefined {
  // The console shows dialogues, and the syslog says it all.
  if (message.tag === serialTag) return undefined;
  const item = /Menu item '([^']+)' selected/.exec(message.text)?.[1];
  if (item !== undefined) return menuItems[item] ?? { activity: item };
  const anna = /retrieving (\S+)/.exec(message.text)?.[1];
  if (anna !== undefined && message.tag.startsWith('anna')) return { activity: `loading ${anna}` };
  const unpacking = /^(?:Unpacking|Setting up) \S+/.exec(message.text)?.[0];
  return unpacking === undefined ? undefined : { activity: unpacking.toLowerCase().replace(/:(amd64|arm64)$/, '') };
}

function findFailure(message: InstallerMessage): KvmimgError | undefined {
  const item = /Configuring '([^']+)' failed with error code (\d+)/.exec(message.text);
  if (item) {
    return new KvmimgError({
      code: 'installer-error',
      message: `The installer's step ${item[1]} failed with error code ${item[2]}.`,
      hint: 'Its log shows why: see the last lines.',
    });
  }
  if (/No kernel modules were found/.test(message.text)) {
    return new KvmimgError({
      code: 'installer-kernel-modules',
      message: 'The installer found no kernel modules for its kernel on the mirror.',
      hint: 'Make a fresh installer lock with `kvmimg lock`.',
    });
  }
  return undefined;
}

/** With its text frontend d-i prints a dialogue as plain text; what it says stands in the lines above the prompt. */
function findSerialFailure(line: string, before: readonly string[]): KvmimgError | undefined {
  if (enterPrompt.test(line)) return errorDialogue(line, before);
  if (!helpPrompt.test(line)) return undefined;
  return new KvmimgError({
    code: 'installer-question',
    message: 'The installer has stopped to ask a question on the console that the answer file does not answer.',
    hint: 'Add the answer to the preseed (its template is preseed/debian.cfg), or correct the value that it refuses.',
    evidence: [{ title: 'The question', lines: saidWith(line, before) }],
  });
}

/** An error or a note, which d-i shows until somebody presses Enter; only then does it go to the log. */
function errorDialogue(line: string, before: readonly string[]): KvmimgError {
  const begin = before.findLastIndex((earlier) => earlier.startsWith('!! '));
  const title = /^!! (?:ERROR: )?(.*)/.exec(before[begin] ?? '')?.[1];
  return new KvmimgError({
    code: 'installer-error',
    message: `The installer has stopped and waits on the console${title ? `: ${title.replace(/\.$/, '')}` : ''}.`,
    hint: 'What it says on the console and the last lines of its log show why.',
    evidence: [{ title: 'The console', lines: begin === -1 ? saidWith(line, before) : [...before.slice(begin), line] }],
  });
}

/** On a serial console d-i runs in screen, which draws its status line with the time anew every minute. */
function isIdleLine(line: string): boolean {
  return /^\W*$/.test(line) || /1\*?installer.*2 shell.*4- ?log/.test(line);
}

/** How Debian's installer speaks. */
export const debianVoice: InstallerVoice = {
  readActivity,
  findFailure,
  findSerialFailure,
  findCallbackFailure: (callback) => findScriptFailure(callback, 'preseed'),
  isIdleLine,
};
