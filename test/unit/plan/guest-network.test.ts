import { describe, expect, it } from 'vitest';
import { makeGuestNetwork } from '../../../src/plan/guest-network.ts';
import { findNetworkFault } from '../../../src/recipe/network-rule.ts';
import { makeRecipe } from './plan-inputs.ts';

const settings = (address: string, gateway: string) => ({ address, gateway, nameservers: [], search: [] });

describe('the network of the machines of a build', () => {
  it("is QEMU's own, as long as the image takes any address", () => {
    expect(makeGuestNetwork(makeRecipe())).toMatchObject({ subnet: '10.0.2.0/24', hostAddress: '10.0.2.2' });
  });

  it.each([
    ['192.0.2.10/24', '192.0.2.1', '192.0.2.0/24', '192.0.2.2'],
    ['192.0.2.1/24', '192.0.2.254', '192.0.2.0/24', '192.0.2.2'],
    ['10.20.30.41/29', '10.20.30.42', '10.20.30.40/29', '10.20.30.43'],
    ['172.16.5.4/12', '172.16.0.1', '172.16.0.0/12', '172.16.0.2'],
  ])('has %s in a subnet whose gateway %s is this host', (address, gateway, subnet, dnsAddress) => {
    expect(findNetworkFault(settings(address, gateway))).toBeUndefined();
    expect(makeGuestNetwork(makeRecipe({ network: settings(address, gateway) }))).toEqual({
      ...{ subnet, dnsAddress, hostAddress: gateway },
      guestAddress: address.split('/')[0],
    });
  });

  it.each([
    ['192.0.2.10/30', '192.0.2.9', /prefix length/],
    ['192.0.2.255/24', '192.0.2.1', /broadcast/],
    ['192.0.2.10/24', '192.0.2.10', /the same/],
    ['192.0.2.10/24', '192.0.2.0', /gateway/],
    ['127.0.0.5/8', '127.0.0.1', /address of a host/],
  ])('cannot have %s with gateway %s', (address, gateway, message) => {
    expect(findNetworkFault(settings(address, gateway))?.message).toMatch(message);
  });
});
