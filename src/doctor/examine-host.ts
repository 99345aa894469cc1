import { readHostFacts } from '../host/facts.ts';
import { findQemuSystem } from '../host/programs.ts';
import { checkAccel } from './accel-check.ts';
import type { Examination, ExaminationDeps } from './check.ts';
import { addInstallCommand } from './install-commands.ts';
import { checkLoopback, checkMemory, checkSpace } from './room-checks.ts';
import {
  checkFirmware,
  checkQemuImg,
  checkQemuSystem,
  checkRoms,
  checkSetpriv,
  checkSsh,
  checkUserNetwork,
} from './tool-checks.ts';

/** Looks at everything that a build needs, all at the same time. Changes nothing but what is known of the accelerator. */
export async function examineHost(deps: ExaminationDeps): Promise<Examination> {
  const facts = await readHostFacts(deps.host);
  const qemu = await findQemuSystem(deps.arch, deps.host);
  const acceleration = checkAccel(qemu, facts, deps);
  const groups = await Promise.all([
    checkQemuSystem(qemu, facts, deps),
    checkUserNetwork(qemu),
    checkRoms(qemu, facts, deps),
    checkQemuImg(facts, deps),
    acceleration.then(({ check }) => check),
    checkFirmware(facts, deps),
    checkSsh(facts, deps),
    checkSetpriv(facts, deps),
    checkSpace(deps),
    checkMemory(facts.memory),
    checkLoopback(),
  ]);
  const found = groups.flat().filter((check) => check !== undefined);
  const checks = await Promise.all(found.map((check) => addInstallCommand(check, facts, deps.host)));
  const { accel } = await acceleration;
  return { ready: checks.every((check) => check.status !== 'missing'), accel, checks };
}
