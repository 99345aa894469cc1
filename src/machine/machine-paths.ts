import { join } from 'node:path';

/** The files of one machine, all in its work folder (mode 0700). */
export interface MachinePaths {
  /** Kernel, initrd and kernel arguments, for -readconfig. */
  readonly config: string;
  /** This machine's copy of the UEFI variable store. */
  readonly vars: string;
  /** The SMBIOS system table. */
  readonly smbios: string;
  /** Everything that the guest wrote to its serial port. */
  readonly serialLog: string;
  readonly qmpSocket: string;
}

export const qmpSocketName = 'qmp';

/** `socketDir`: where the QMP socket goes when the path of the work folder is too long for a socket. */
export function makeMachinePaths(workDir: string, socketDir = workDir): MachinePaths {
  return {
    config: join(workDir, 'machine.cfg'),
    vars: join(workDir, 'vars.fd'),
    smbios: join(workDir, 'smbios.bin'),
    serialLog: join(workDir, 'serial.log'),
    qmpSocket: join(socketDir, qmpSocketName),
  };
}
