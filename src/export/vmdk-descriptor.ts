/** A value of the VMDK descriptor, without its quotes: `ddb.adapterType` gives `lsilogic`. */
export function findDescriptorValue(descriptor: string, key: string): string | undefined {
  const line = descriptor.split('\n').find((candidate) => candidate.replace(/\s*=.*$/, '').trim() === key);
  return line
    ?.slice(line.indexOf('=') + 1)
    .trim()
    .replace(/^"(.*)"$/, '$1');
}

/**
 * The descriptor with another content id and file name. qemu-img draws the id at random and writes the name of the
 * file it writes to, which is that of a partial file here; both would make equal disks differ.
 */
export function changeDescriptor(
  descriptor: string,
  change: { readonly cid: string; readonly fileName: string },
): string {
  const fileName = change.fileName.replaceAll(/["\p{Cc}]/gu, '_');
  return descriptor
    .replace(/^CID=.*$/m, () => `CID=${change.cid}`)
    .replace(/^(RW|RDONLY) (\d+) SPARSE ".*"$/m, (_, access: string, sectors: string) => {
      return `${access} ${sectors} SPARSE "${fileName}"`;
    });
}

/** A content id made from a digest; the two highest values are reserved (no parent, unknown). */
export function contentId(sha256: string): string {
  const id = sha256.slice(0, 8);
  return id >= 'fffffffe' ? '00000001' : id;
}
