import type { z } from 'zod';
import { staticNetwork } from './install-settings.ts';
import { formatAddress, readAddress, subnetStart } from './ipv4.ts';
import { findValue } from './path.ts';
import type { RecipeIssue } from './validate.ts';

/** What is wrong with a static address, and which setting is to be changed. */
interface NetworkFault {
  readonly setting: 'address' | 'gateway';
  readonly message: string;
}

/** Blocks of the first octet that no host has: this network, loopback, multicast and what is reserved (RFC 6890). */
const hostless = (octet: number): boolean => octet === 0 || octet === 127 || octet >= 224;

/** That address and gateway are hosts of one subnet. What is no network at all is for the schema to complain of. */
export function checkNetwork(data: unknown): RecipeIssue[] {
  const { data: network } = staticNetwork.safeParse(findValue(data, ['network']));
  const fault = network === undefined ? undefined : findNetworkFault(network);
  return fault === undefined ? [] : [{ path: ['network', fault.setting], message: fault.message }];
}

/** Undefined when nothing is wrong. */
export function findNetworkFault({
  address: cidr,
  gateway,
}: Pick<z.output<typeof staticNetwork>, 'address' | 'gateway'>): NetworkFault | undefined {
  const [address = '', prefixText = ''] = cidr.split('/');
  const prefix = Number(prefixText);
  const wrong = (setting: NetworkFault['setting'], message: string): NetworkFault => ({ setting, message });
  if (prefix < 8 || prefix > 29) {
    return wrong('address', `a prefix length of ${prefix} is not possible here: it must be 8 to 29`);
  }
  if (hostless(Number(address.split('.')[0]))) return wrong('address', `${address} cannot be the address of a host`);
  const first = subnetStart(address, prefix);
  const last = first + 2 ** (32 - prefix) - 1;
  const isHost = (each: string): boolean => readAddress(each) > first && readAddress(each) < last;
  if (!isHost(address)) {
    return wrong('address', `${address} is the address of the network itself, or its broadcast address`);
  }
  if (!isHost(gateway)) return wrong('gateway', `the gateway ${gateway} is not in ${formatAddress(first)}/${prefix}`);
  return address === gateway ? wrong('gateway', 'address and gateway are the same') : undefined;
}
