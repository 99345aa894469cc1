import type { Recipe } from '../recipe/schema.ts';

/** The user-mode network of a build's machines. */
export interface GuestNetwork {
  /** `192.0.2.0/24`. */
  readonly subnet: string;
  /** By which the guest reaches this host: its gateway. */
  readonly hostAddress: string;
  /** What the guest has by DHCP, or sets itself. */
  readonly guestAddress: string;
  /** QEMU's own name server, which must have an address of its own. */
  readonly dnsAddress: string;
}

/** QEMU's own defaults. */
export const defaultGuestNetwork: GuestNetwork = {
  subnet: '10.0.2.0/24',
  hostAddress: '10.0.2.2',
  guestAddress: '10.0.2.15',
  dnsAddress: '10.0.2.3',
};

/**
 * The network that suits a recipe: with a static address the build's machines have that very subnet, and this host is at
 * the address of the gateway, so that the image's own configuration works while it is built and checked.
 */
export function makeGuestNetwork({ network }: Pick<Recipe, 'network'>): GuestNetwork {
  if (network === 'dhcp') return defaultGuestNetwork;
  const [guestAddress = '', prefix = ''] = network.address.split('/');
  const first = subnetStart(guestAddress, Number(prefix));
  const taken = [guestAddress, network.gateway];
  const candidates = [1, 2, 3].map((offset) => formatAddress(first + offset));
  return {
    subnet: `${formatAddress(first)}/${prefix}`,
    hostAddress: network.gateway,
    guestAddress,
    dnsAddress: candidates.find((address) => !taken.includes(address)) ?? '',
  };
}

/** The setting of a machine of the build: none where QEMU's own network will do. */
export function guestNetworkOf(recipe: Pick<Recipe, 'network'>): { readonly guestNetwork?: GuestNetwork } {
  return recipe.network === 'dhcp' ? {} : { guestNetwork: makeGuestNetwork(recipe) };
}

/** What is wrong with a static address: undefined when nothing is. */
export function findNetworkProblem(network: Exclude<Recipe['network'], 'dhcp'>): string | undefined {
  const [address = '', prefixText = ''] = network.address.split('/');
  const prefix = Number(prefixText);
  if (prefix < 8 || prefix > 29) return `a prefix length of ${prefix} is not possible here: it must be 8 to 29`;
  const first = subnetStart(address, prefix);
  const last = first + 2 ** (32 - prefix) - 1;
  const isHost = (each: string): boolean => readAddress(each) > first && readAddress(each) < last;
  if (!isHost(address)) return `${address} is the address of the network itself, or its broadcast address`;
  if (!isHost(network.gateway)) return `the gateway ${network.gateway} is not in ${formatAddress(first)}/${prefix}`;
  return address === network.gateway ? 'address and gateway are the same' : undefined;
}

function subnetStart(address: string, prefix: number): number {
  const size = 2 ** (32 - prefix);
  return Math.floor(readAddress(address) / size) * size;
}

function readAddress(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
