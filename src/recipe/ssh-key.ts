type FieldRule = (field: Buffer) => boolean;

const anything: FieldRule = (field) => field.length > 0;
const ofLength =
  (length: number): FieldRule =>
  (field) =>
    field.length === length;
/** The name of the curve, and an uncompressed point on it. */
const onCurve = (name: string, pointLength: number): readonly FieldRule[] => [
  (field) => field.toString('latin1') === name,
  ofLength(pointLength),
];
/** sshd takes no RSA key below 1024 bits. */
const shortestModulus = 128;

/** What is in a key after the name of its type: RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4, OpenSSH's PROTOCOL.u2f. */
const fieldsOfType: ReadonlyMap<string, readonly FieldRule[]> = new Map([
  ['ssh-ed25519', [ofLength(32)]],
  ['ssh-rsa', [anything, (modulus) => modulus.length >= shortestModulus]],
  ['ecdsa-sha2-nistp256', onCurve('nistp256', 65)],
  ['ecdsa-sha2-nistp384', onCurve('nistp384', 97)],
  ['ecdsa-sha2-nistp521', onCurve('nistp521', 133)],
  ['sk-ssh-ed25519@openssh.com', [ofLength(32), anything]],
  ['sk-ecdsa-sha2-nistp256@openssh.com', [...onCurve('nistp256', 65), anything]],
]);

/** Whether a line is a whole public key: sshd passes over one that was cut off, or whose type is another. */
export function isWholeSshKey(line: string): boolean {
  const [type = '', text = ''] = line.split(' ');
  const blob = Buffer.from(text, 'base64');
  const rules = fieldsOfType.get(type);
  const [typeInside, ...fields] = readFields(blob);
  return (
    rules !== undefined &&
    blob.toString('base64') === text &&
    typeInside?.toString('latin1') === type &&
    fields.length === rules.length &&
    fields.every((field, index) => rules[index]?.(field))
  );
}

/** The fields of a blob, each after its length in four bytes; none where the lengths do not add up. */
function readFields(blob: Buffer): readonly Buffer[] {
  const fields: Buffer[] = [];
  let offset = 0;
  while (offset < blob.length) {
    if (offset + 4 > blob.length) return [];
    const end = offset + 4 + blob.readUInt32BE(offset);
    if (end > blob.length) return [];
    fields.push(blob.subarray(offset + 4, end));
    offset = end;
  }
  return fields;
}
