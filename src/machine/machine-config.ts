import { KvmimgError } from '../errors.ts';
import type { DirectBoot } from './machine-spec.ts';

/** QEMU reads a configuration file into lines of 1,024 bytes with their end (`qemu_config_foreach`, util/qemu-config.c). */
const maxLineBytes = 1_022;

/**
 * The text of a QEMU configuration file that boots a kernel. It is a file because the kernel arguments may hold a
 * secret address, and a command line can be read by every user of the host.
 *
 * @throws KvmimgError `kernel-arguments` for what such a file cannot hold.
 */
export function makeMachineConfig(boot: DirectBoot): string {
  return [
    '[machine]',
    configLine('kernel', boot.kernelPath, 'The path of the kernel'),
    configLine('initrd', boot.initrdPath, 'The path of the initrd'),
    configLine('append', boot.kernelArguments.join(' '), "The kernel's command line"),
    '',
  ].join('\n');
}

function configLine(key: string, value: string, subject: string): string {
  if (/["\p{Cc}]/u.test(value)) {
    throw unfit(`${subject} holds a double quote or a control character, which QEMU cannot be given.`);
  }
  const line = `${key} = "${value}"`;
  const excessBytes = Buffer.byteLength(line) - maxLineBytes;
  if (excessBytes > 0) throw unfit(`${subject} is ${excessBytes} bytes too long for QEMU.`);
  return line;
}

function unfit(message: string): KvmimgError {
  return new KvmimgError({
    code: 'kernel-arguments',
    message,
    hint: 'Shorten or change `kernelArguments` in the recipe, or the path of the cache.',
  });
}
