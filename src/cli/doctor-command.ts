import { resolve } from 'node:path';
import { makeDoctorDeps } from '../doctor/doctor-deps.ts';
import { type DoctorOptions, runDoctor } from '../doctor/run-doctor.ts';
import { findCacheDir } from '../host/cache-dir.ts';
import type { CommandContext, CommandStatus } from './command-context.ts';

/** `kvmimg doctor`: is this host ready; with `--fix` what is missing is installed. */
export async function examine(flags: Partial<DoctorOptions>, context: CommandContext): Promise<CommandStatus> {
  const deps = makeDoctorDeps({
    cacheDir: findCacheDir(context.env),
    outputDir: resolve(context.cwd, 'out'),
    signal: context.signal,
    write: context.output.print,
    log: context.output.log,
  });
  const { ready } = await runDoctor({ fix: false, yes: false, json: false, ...flags }, deps);
  return ready ? 0 : 1;
}
