import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import type { HostFacts, HostSource } from '../host/facts.ts';
import type { AccelFinding, Check, ExaminationDeps } from './check.ts';

const item = 'Acceleration';
const why = 'An emulated machine needs ten times as long. Only a guest that answers proves that it works.';

/** Lets a guest prove the accelerator. Emulation is no more than a warning: builds work, slower. */
export async function checkAccel(
  qemuPath: string | undefined,
  facts: HostFacts,
  deps: ExaminationDeps,
): Promise<{ readonly check: Check; readonly accel: AccelFinding['accel'] | undefined }> {
  if (qemuPath === undefined) {
    return { check: { item, status: 'warning', found: 'not tried: there is no QEMU', why }, accel: undefined };
  }
  try {
    const { accel, reason } = await deps.findAccel(qemuPath);
    const found = `${accel}: ${reason}`;
    if (accel !== 'tcg') return { check: { item, status: 'ok', found, why }, accel };
    const command = deps.arch === deps.host.arch ? await findKvmCure(facts, deps.host) : undefined;
    return { check: { item, status: 'warning', found, why, ...(command === undefined ? {} : { command }) }, accel };
  } catch (error) {
    return { check: { item, status: 'missing', found: messageOf(error), why }, accel: undefined };
  }
}

/** The command that may bring KVM back; undefined where there is none, as on a host that is a crippled guest itself. */
async function findKvmCure(facts: HostFacts, host: HostSource): Promise<string | undefined> {
  if (facts.os.platform !== 'linux') return undefined;
  const device = join(host.root, 'dev/kvm');
  const sudo = facts.isRoot ? '' : 'sudo ';
  const exists = await canAccess(device, constants.F_OK);
  if (exists)
    return (await canAccess(device, constants.R_OK | constants.W_OK)) ? undefined : `${sudo}usermod -aG kvm "$USER"`;
  const cpuInfo = await readFile(join(host.root, 'proc/cpuinfo'), 'utf8').catch(() => '');
  if (/\bvmx\b/.test(cpuInfo)) return `${sudo}modprobe kvm_intel`;
  return /\bsvm\b/.test(cpuInfo) ? `${sudo}modprobe kvm_amd` : undefined;
}

function canAccess(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
