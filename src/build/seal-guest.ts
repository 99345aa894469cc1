import { packageManagers } from '../guest/packages/package-manager.ts';
import { checkSealed, seal } from '../guest/seal.ts';
import type { SshSession } from '../guest/ssh-session.ts';
import type { WatchedMachine } from '../machine/machine-watch.ts';
import { defaultGuestNetwork } from '../plan/guest-network.ts';
import { buildUserName } from '../plan/plan.ts';
import { waitUntil } from '../wait/wait-until.ts';
import { type BuildRun, limitsOf } from './build-run.ts';
import { type InstalledPackage, parsePackageList } from './manifest.ts';
import type { Tell } from './phase-clock.ts';

/** Seals a running guest, until it has powered itself off clean; gives the packages that it holds. */
export async function sealGuest(
  run: BuildRun,
  { guest, watched }: { readonly guest: SshSession; readonly watched: WatchedMachine },
  tell: Tell,
): Promise<readonly InstalledPackage[]> {
  const { plan } = run;
  const { signal } = watched;
  const packages = packageManagers[plan.distro.family];
  const listed = await guest.run(packages.list, { signal });
  await seal(
    guest,
    {
      buildUser: buildUserName,
      hostname: plan.recipe.hostname,
      packageSources: packages.leavePublic(plan),
      traces: tracesOf(run),
    },
    {
      signal,
      onActivity: (activity) => {
        watched.sign();
        tell(activity);
      },
      onLastAct: watched.expectExit,
    },
  );
  await waitUntil({
    subject: 'the sealed guest to power itself off',
    hint: 'Its last act removes the build user, trims the disk and powers off; the serial console shows how far it got.',
    limitMs: limitsOf(run).powerOffMs,
    signal,
    check: () => watched.machine.hasExited() || undefined,
  });
  await watched.untilPoweredOff();
  checkSealed(watched.machine.lastSerialLines(200));
  return parsePackageList(listed.stdout);
}

/** The addresses of the build, and the name of its user. Where the image has such addresses, too, only the whole one. */
function tracesOf({ plan, services }: BuildRun): readonly string[] {
  const { hostAddress, dnsAddress } = defaultGuestNetwork;
  const said = JSON.stringify(plan.recipe);
  const addresses = plan.recipe.network === 'dhcp' ? [hostAddress, dnsAddress] : [];
  return [...addresses.filter((address) => !said.includes(address)), new URL(services.guestRoot).host, buildUserName];
}
