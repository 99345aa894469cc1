import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Evidence, InterruptedError, KvmimgError } from '../errors.ts';
import type { WatchedMachine } from '../machine/machine-watch.ts';
import { systemClock } from '../wait/wait-until.ts';
import type { BuildRun } from './build-run.ts';

/** What a phase with a machine has seen, asked for when it fails. */
export interface Witness {
  /** Where the logs are kept: `<cacheDir>/reports/<id>`. */
  readonly folder: string;
  /** Completes "was waiting for …". */
  readonly awaited: string;
  readonly logs: readonly { readonly title: string; readonly fileName: string; readonly lines: readonly string[] }[];
  /** Writes a screenshot to the path; undefined where there is none to be had. */
  readonly screenshot: (path: string) => Promise<string | undefined>;
}

/** How long QEMU's own end may lag behind that of a connection to its guest. */
const machineFailureMs = 2_000;
const shownLines = 12;
const keptReports = 10;

/**
 * Adds to a failure what a person needs to act on it: what was awaited, the last lines of each log, and the paths of
 * the whole logs and the screenshot, kept in `<cacheDir>/reports/<id>/`. The ten newest reports are kept.
 */
export async function explainFailure(error: unknown, witness: Witness): Promise<unknown> {
  if (!(error instanceof KvmimgError) || error instanceof InterruptedError) return error;
  const saved = await saveReport(witness).catch(async () => {
    // Most often no space is left; then not half a report either.
    await rm(witness.folder, { recursive: true, force: true });
    return undefined;
  });
  const evidence: Evidence[] = [
    { title: 'Waiting for', lines: [witness.awaited] },
    ...error.evidence,
    ...witness.logs
      .filter((log) => log.lines.length > 0 && !error.evidence.some(({ title }) => title === log.title))
      .map((log) => ({ title: log.title, lines: log.lines.slice(-shownLines) })),
    ...(saved ? [{ title: 'Logs and screenshot', lines: saved }] : []),
  ];
  return new KvmimgError({ code: error.code, message: error.message, hint: error.hint, evidence, cause: error.cause });
}

/**
 * Does work with a machine and explains its failure by the machine's console and screen. A broken SSH connection is only
 * a sign: what the machine itself has failed with goes before it.
 */
export async function explainedBy<T>(
  run: Pick<BuildRun, 'reportDir'>,
  watched: WatchedMachine,
  awaited: string,
  work: () => Promise<T>,
): Promise<T> {
  const { machine, signal } = watched;
  try {
    return await work();
  } catch (error) {
    const isSign = error instanceof KvmimgError && error.code === 'ssh-lost';
    if (isSign) await systemClock.sleep(machineFailureMs, signal).catch(() => {});
    throw await explainFailure(isSign && signal.aborted ? signal.reason : error, {
      folder: run.reportDir,
      awaited,
      logs: [{ title: 'Serial console', fileName: 'serial.log', lines: machine.lastSerialLines(2_000) }],
      screenshot: (path) => machine.screenshot(path),
    });
  }
}

async function saveReport(witness: Witness): Promise<string[]> {
  const { folder } = witness;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const paths: string[] = [];
  for (const log of witness.logs) {
    const path = join(folder, log.fileName);
    await writeFile(path, `${log.lines.join('\n')}\n`);
    paths.push(path);
  }
  const screenshot = await witness.screenshot(join(folder, 'screen.png'));
  await removeOldReports(join(folder, '..'));
  return screenshot === undefined ? paths : [...paths, screenshot];
}

async function removeOldReports(reportsDir: string): Promise<void> {
  // Names begin with the time, so the order of names is the order of age.
  const names = (await readdir(reportsDir)).sort();
  const old = names.slice(0, Math.max(0, names.length - keptReports));
  await Promise.all(old.map((name) => rm(join(reportsDir, name), { recursive: true, force: true })));
}
