import type { Recipe } from '../recipe/schema.ts';
import type { ImagePart } from './image-files.ts';

const path = '/etc/NetworkManager/system-connections/kvmimg.nmconnection';

/**
 * NetworkManager's connection that names no interface: DHCP on every Ethernet device, or the recipe's address on the
 * first that there is. Its priority is below that of any other, so that what cloud-init writes from first-boot data
 * comes first.
 */
export function makeConnection(network: Recipe['network']): ImagePart {
  const content = network === 'dhcp' ? dhcp : makeStatic(network);
  return {
    title: network === 'dhcp' ? 'DHCP on every Ethernet device' : "the recipe's address on the first Ethernet device",
    files: [{ path, mode: '600', content }],
    units: [],
  };
}

const head = ['[connection]', 'id=kvmimg', 'type=ethernet', 'autoconnect-priority=-100'];

// 3 is "multiple": the same connection on several devices at a time. By default it is on one.
const dhcp = [...head, 'multi-connect=3', '', '[ipv4]', 'method=auto', '', '[ipv6]', 'method=auto'].join('\n');

function makeStatic({ address, gateway, nameservers, search }: Exclude<Recipe['network'], 'dhcp'>): string {
  const isIpv6 = (server: string): boolean => server.includes(':');
  return [
    ...head,
    '',
    '[ipv4]',
    'method=manual',
    `address1=${address},${gateway}`,
    ...listOf(
      'dns',
      nameservers.filter((server) => !isIpv6(server)),
    ),
    ...listOf('dns-search', search),
    '',
    '[ipv6]',
    'method=auto',
    ...listOf('dns', nameservers.filter(isIpv6)),
  ].join('\n');
}

/** NetworkManager's lists end each item with a semicolon. */
function listOf(key: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : [`${key}=${items.map((item) => `${item};`).join('')}`];
}
