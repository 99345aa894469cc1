import { KvmimgError } from '../../errors.ts';
import type { InstallerCallback, InstallerMessage } from './installer-voice.ts';

/** What an installer says when it has failed, and what that means. */
export interface KnownFailure {
  readonly pattern: RegExp;
  readonly code: string;
  /** `$1` and so on are the groups of the pattern. */
  readonly message: string;
  readonly hint: string;
}

const evidenceLines = 20;

/** The failure of the first pattern that the text matches; `said` is shown with it. */
export function findKnownFailure(
  failures: readonly KnownFailure[],
  text: string,
  said?: readonly string[],
): KvmimgError | undefined {
  for (const { pattern, code, message, hint } of failures) {
    const found = pattern.exec(text);
    if (!found) continue;
    return new KvmimgError({
      code,
      message: message.replace(/\$(\d)/g, (_, group: string) => found[Number(group)] ?? '').trimEnd(),
      hint,
      ...(said === undefined ? {} : { evidence: [{ title: 'What the installer says', lines: said }] }),
    });
  }
  return undefined;
}

/** A line of the console and what stands above it, without the empty ones. */
export function saidWith(line: string, before: readonly string[]): readonly string[] {
  return [...before.filter((earlier) => earlier.trim() !== '').slice(-evidenceLines), line];
}

/**
 * The scripts of an answer file say with `<script>-end/<exit code>` how they have ended.
 *
 * @param folder where their templates lie, such as `preseed`.
 */
export function findScriptFailure({ name }: InstallerCallback, folder: string): KvmimgError | undefined {
  const [, script, status] = /^(\w+)-end\/(\d+)$/.exec(name) ?? [];
  if (status === undefined || status === '0') return undefined;
  return new KvmimgError({
    code: 'installer-script',
    message: `The ${script} script of the answer file failed in the guest with exit code ${status}.`,
    hint: `Its commands and their output are the last lines of the installer's log. The script is ${folder}/${script}.sh.`,
  });
}

/**
 * `callback/log/<name>` brings a piece of a log: its lines as messages by that name, none for another callback.
 *
 * @param stamp what stands at the beginning of each line and says nothing here, such as the time.
 */
export function readLog({ name, body }: InstallerCallback, stamp = /^/): readonly InstallerMessage[] {
  const tag = /^log\/([\w.-]+)$/.exec(name)?.[1];
  if (tag === undefined) return [];
  return linesOf(body).map((line) => ({ tag, text: line.replace(stamp, '') }));
}

/** The lines of a text that say something. */
export function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
