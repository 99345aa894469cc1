import { formatAddress, subnetStart } from '../recipe/ipv4.ts';
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
