import { describe, expect, it } from 'vitest';
import { isWholeSshKey } from '../../../src/recipe/ssh-key.ts';
import { exampleKey } from '../example-ssh-key.ts';

/** A key out of its fields, each after its length. */
function makeKey(type: string, fields: readonly (Buffer | string)[]): string {
  const parts = fields.flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    return [length, Buffer.from(field)];
  });
  return `${type} ${Buffer.concat(parts).toString('base64')} ops@example`;
}

const bytes = (count: number): Buffer => Buffer.alloc(count, 7);
const typed = (type: string, ...fields: (Buffer | string)[]): string => makeKey(type, [type, ...fields]);
/** As ssh-keygen made them. */
const made = [
  'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKQwScvzqXAQYNoUDrlq8Bw4ysZ90VF0KQJmy1Px2Kjy6s6PJxIJ2Abel1MdnoThsXd1Qeiw8QIWqgt1DKAjhB8=',
  'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDa7RJ9Evya9xArKr/mM8XkpuO9Vesy54BkWfBrpZkPvi4KKwAGLdM9Et0B3z3Oy2Dw9B6gC4iC1z9ds8H5qHhraqkoKFVJCooHwfjGbOxfYMNNNiocc+IA+puH8hiZvFWcDxrJkO2urVALbjg38n/1JY7aqdvmKky1rhpevsTAzw== x',
];

describe('isWholeSshKey', () => {
  it.each([
    exampleKey,
    exampleKey.replace(/ [^ ]+$/, ''),
    `${exampleKey} and more words`,
    ...made,
    typed('ecdsa-sha2-nistp384', 'nistp384', bytes(97)),
    typed('ecdsa-sha2-nistp521', 'nistp521', bytes(133)),
    typed('sk-ssh-ed25519@openssh.com', bytes(32), 'ssh:'),
    typed('sk-ecdsa-sha2-nistp256@openssh.com', 'nistp256', bytes(65), 'ssh:'),
  ])('takes %s', (key) => {
    expect(isWholeSshKey(key)).toBe(true);
  });

  it.each([
    ['a beginning', 'ssh-ed25519 AAAA'],
    ['no key at all', 'ssh-ed25519'],
    ['a type that is not known', 'ecdsa-sha2-nistp999 AAAA'],
    ['a type that sshd has given up', typed('ssh-dss', bytes(128), bytes(20), bytes(128), bytes(128))],
    ['a key of another type', exampleKey.replace('ssh-ed25519', 'ssh-rsa')],
    ['a key that was cut off', exampleKey.replace(/.{4} ops/, ' ops')],
    ['a key without its padding', made[1]?.replace('== x', '') ?? ''],
    ['a byte too many', typed('ssh-ed25519', bytes(33))],
    ['a field too many', typed('ssh-ed25519', bytes(32), bytes(1))],
    ['another curve', typed('ecdsa-sha2-nistp256', 'nistp384', bytes(65))],
    ['a short RSA key', typed('ssh-rsa', bytes(3), bytes(96))],
    ['a length beyond the end', `ssh-ed25519 ${Buffer.from([255, 255, 255, 255, 1]).toString('base64')}`],
  ])('refuses %s', (_, key) => {
    expect(isWholeSshKey(key)).toBe(false);
  });
});
