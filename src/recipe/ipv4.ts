/** An IPv4 address as a number; the text is one already. */
export function readAddress(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** The first address of the subnet that an address is in. */
export function subnetStart(address: string, prefix: number): number {
  const size = 2 ** (32 - prefix);
  return Math.floor(readAddress(address) / size) * size;
}
