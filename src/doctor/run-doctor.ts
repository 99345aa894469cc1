import type { Examination, ExaminationDeps } from './check.ts';
import { examineHost } from './examine-host.ts';
import { fixHost } from './fix-host.ts';
import { renderChecks, renderVerdict } from './render-checks.ts';

export interface DoctorOptions {
  readonly fix: boolean;
  readonly yes: boolean;
  readonly json: boolean;
}

export interface DoctorDeps extends ExaminationDeps {
  readonly signal: AbortSignal;
  /** Asks a person; undefined where there is no terminal. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined;
  /** A line of the result, for standard output. */
  readonly write: (line: string) => void;
  /** A line about what is being done, for standard error. */
  readonly log: (line: string) => void;
}

/**
 * `kvmimg doctor`: examines the host, with `fix` installs what is missing and examines it again, and writes the result.
 * The exit status is 0 when `ready`, else 1.
 *
 * @throws what `fixHost` throws.
 */
export async function runDoctor(options: DoctorOptions, deps: DoctorDeps): Promise<Examination> {
  const first = await examineHost(deps);
  const examination = options.fix ? await fixAndExamine(first, options, deps) : first;
  if (options.json) deps.write(JSON.stringify(examination, undefined, 2));
  else for (const line of [...renderChecks(examination.checks), '', renderVerdict(examination)]) deps.write(line);
  return examination;
}

async function fixAndExamine(first: Examination, options: DoctorOptions, deps: DoctorDeps): Promise<Examination> {
  const outcome = await fixHost(first.checks, {
    host: deps.host,
    yes: options.yes,
    ask: deps.ask,
    onCommand: (command) => deps.log(`$ ${command}`),
    signal: deps.signal,
  });
  return outcome === 'installed' ? examineHost(deps) : first;
}
