import { KvmimgError } from '../../errors.ts';
import type { InstallerCallback, InstallerMessage, InstallerVoice } from './installer-voice.ts';
import {
  findKnownFailure,
  findScriptFailure,
  type KnownFailure,
  linesOf,
  readLog,
  saidWith,
} from './known-failures.ts';

/** Tag of the messages that stand for events of subiquity's webhook: `start: NAME: DESCRIPTION`. */
const eventTag = 'subiquity';

/**
 * Steps of an install by the end of their name (`subiquity/Install/install/curtin_install/...`), in their order, what they
 * do in plain words, and how far the install is when one starts. The fractions are estimates: nothing of it was measured.
 */
const steps: readonly (readonly [name: RegExp, activity: string, fraction: number])[] = [
  [/^subiquity\/Early\/run$/, 'reading the answer file', 0.08],
  [/\/apply_autoinstall_config$/, 'preparing', 0.1],
  [/\/configure_apt$/, 'configuring apt', 0.12],
  [/\/cmd-block-meta$/, 'partitioning', 0.15],
  [/\/cmd-extract$/, 'unpacking the system', 0.18],
  [/\/cmd-curthooks$/, 'configuring the system', 0.4],
  [/\/installing-kernel$/, 'installing the kernel', 0.42],
  [/\/install-grub$/, 'installing the boot loader', 0.6],
  [/\/postinstall$/, 'installing packages', 0.65],
  [/\/run_unattended_upgrades$/, 'installing security updates', 0.75],
  [/\/restore_apt_config$/, 'restoring the configuration of apt', 0.8],
  [/^subiquity\/Late\/run$/, 'updating, and installing the boot loaders', 0.82],
  [/^subiquity\/Shutdown\/shutdown$/, 'powering off', 0.99],
];

/** The callbacks of late.sh and error.sh are told apart from events by their names. */
const eventsPoint = 'webhook';

interface InstallerEvent {
  readonly name: string;
  readonly description: string;
  readonly event_type: string;
  readonly result?: string;
}

/** One JSON object a request, as curtin's webhook reporter sends it. */
function readCallback(callback: InstallerCallback): readonly InstallerMessage[] {
  const { name, body } = callback;
  if (name !== eventsPoint) return readLog(callback);
  const event = parseEvent(body);
  if (event === undefined) return [{ tag: eventTag, text: body.slice(0, 1_000) }];
  const { event_type, result, description } = event;
  const parts = [event_type, event.name, ...(result === undefined ? [] : [result]), description];
  return [{ tag: eventTag, text: parts.filter((part) => part !== '').join(': ') }];
}

function parseEvent(body: string): InstallerEvent | undefined {
  try {
    const event: unknown = JSON.parse(body);
    return isEvent(event) ? event : undefined;
  } catch {
    return undefined;
  }
}

function isEvent(value: unknown): value is InstallerEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { name, description, event_type, result } = value as Readonly<Record<string, unknown>>;
  const texts = [name, description, event_type];
  return texts.every((text) => typeof text === 'string') && (result === undefined || typeof result === 'string');
}

function readActivity({ tag, text }: InstallerMessage): { activity: string; fraction?: number } | undefined {
  if (tag !== eventTag) return readPackageActivity(text);
  const [, name = '', description = ''] = /^start: ([^:]+)(?:: (.*))?$/s.exec(text) ?? [];
  const step = steps.find(([pattern]) => pattern.test(name));
  if (step !== undefined) return { activity: step[1], fraction: step[2] };
  // `install_openssh-server: installing openssh-server`. What a command of the answer file is called is its whole text.
  return /\/install_[^/]+$/.test(name) && description !== '' ? { activity: description } : undefined;
}

/** Lines of dpkg, out of the journal. */
function readPackageActivity(text: string): { activity: string } | undefined {
  const words = /^(?:Unpacking|Setting up) \S+/.exec(text)?.[0];
  return words === undefined ? undefined : { activity: words.toLowerCase().replace(/:(amd64|arm64|all)$/, '') };
}

/**
 * A step that fails is followed by error.sh, which sends the logs and then says so itself: what is found here would stop
 * it. But what the installer says of a wrong answer file is all that there is to know.
 */
function findFailure({ tag, text }: InstallerMessage): KvmimgError | undefined {
  if (tag !== eventTag) return undefined;
  const refused = /^finish: subiquity\/(?:(\w+)\/load_autoinstall_data|core_validation): FAIL(?:: (.*))?$/s.exec(text);
  if (!refused) return undefined;
  const [, section, reason = ''] = refused;
  return new KvmimgError({
    code: 'installer-answer-file',
    message: `The installer does not accept the answer file${section === undefined ? '' : `: its section ${section}`}.`,
    hint: 'Correct its template, autoinstall/user-data.yaml, or the value of the recipe that it names.',
    evidence: [{ title: 'What the installer says', lines: linesOf(reason) }],
  });
}

/** What stands on the console when nothing will go on by itself. */
const consoleFailures: readonly KnownFailure[] = [
  {
    pattern: /Continue with autoinstall\?/,
    code: 'installer-question',
    message: 'The installer has stopped to ask whether it may go on.',
    hint: 'It does not ask when `autoinstall` is among its kernel arguments.',
  },
  {
    pattern: /Continue in (rich|basic) mode|Installer shell session|started in basic mode/i,
    code: 'installer-question',
    message: 'The installer has started to ask questions on the console: it has found no answer file.',
    hint: 'The requests of the guest show whether cloud-init has fetched user-data.',
  },
  {
    pattern: /remove the installation medium.*press ENTER/i,
    code: 'installer-question',
    message: 'The live system waits for someone to take the disc out.',
    hint: 'It does not when `noprompt` is among its kernel arguments.',
  },
  {
    pattern: /An error occurred\. Press enter to start a shell/i,
    code: 'installer-error',
    message: 'The installer has stopped with an error.',
    hint: 'The lines above, and its log, show what it was.',
  },
  {
    pattern: /Unable to find a (medium containing a live file ?system|live file ?system)/i,
    code: 'installer-media',
    message: 'The live system has not found its ISO.',
    hint: 'The kernel and the initrd must be those of the ISO that is in the drive: see the machine of `kvmimg plan`.',
  },
  {
    pattern: /^\s*(\(initramfs\)|BusyBox v\S+ .*built-in shell)/,
    code: 'installer-boot',
    message: 'The live system could not be started: its initramfs has opened a shell.',
    hint: 'The lines above show what it has not found. A broken ISO is the usual cause: compare its digest.',
  },
  {
    pattern: /Out of memory: Killed process/,
    code: 'installer-memory',
    message: "The installer's machine has run out of memory.",
    hint: 'Set `memory` in the recipe to more.',
  },
];

/** `failed` comes from error.sh with the lines that tell the cause; `late-end/<exit code>` from late.sh. */
function findCallbackFailure(callback: InstallerCallback): KvmimgError | undefined {
  if (callback.name !== 'failed') return findScriptFailure(callback, 'autoinstall');
  return new KvmimgError({
    code: 'installer-error',
    message: 'A step of the installer has failed.',
    hint: "The installer's log has all that it wrote, and the logs of the live system at its end.",
    evidence: [{ title: 'What the installer says', lines: linesOf(callback.body) }],
  });
}

/** systemd draws the line of a start job that takes long anew every second. */
function isIdleLine(line: string): boolean {
  return /^\W*$/.test(line) || /A (start|stop) job is running for/.test(line);
}

/** How Ubuntu's installer speaks. */
export const ubuntuVoice: InstallerVoice = {
  readActivity,
  findFailure,
  findSerialFailure: (line, before) => findKnownFailure(consoleFailures, line, saidWith(line, before)),
  readCallback,
  findCallbackFailure,
  isIdleLine,
};
