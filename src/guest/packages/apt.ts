import { aptLockWait } from '../../host/packages.ts';
import type { Plan } from '../../plan/plan.ts';
import type { GuestAction } from '../elements.ts';
import { buildAddress, publishRepositories } from './build-address.ts';
import type { PackageManager, SourcesOf } from './package-manager.ts';

/** A file that the recipe has written before its package came stays as it is; dpkg must not ask. */
const options = [
  ...aptLockWait,
  // The mirror cache answers when it has a whole file: over a slow line that is later than the 30 s that apt would wait.
  ...['-o', 'Acquire::http::Timeout=900'],
  ...['Use-Pty=0', 'Options::=--force-confdef', 'Options::=--force-confold'].flatMap((option) => [
    '-o',
    `Dpkg::${option}`,
  ]),
];

// For the lock of the index, which apt-daily takes, apt has no wait of its own (measured with apt 2.6).
const whenIndexIsFree = `lock=/var/lib/apt/lists/lock waited=0
while [ -e "$lock" ] && grep -q ":$(stat -c %i "$lock") " /proc/locks && [ "$waited" -lt 120 ]; do
  sleep 1
  waited=$((waited + 1))
done
exec "$@"`;

/** What of a distribution's archive an image takes, and how its sources are written. */
interface Archive {
  readonly components: string;
  /** The names of its mirrors below the guest's root. */
  readonly mirror: string;
  readonly securityMirror: string;
  readonly keyring: string;
  /** In /etc/apt/sources.list.d. */
  readonly fileName: string;
}

const archives: Readonly<Record<'debian' | 'ubuntu', Archive>> = {
  debian: {
    components: 'main',
    mirror: 'debian',
    securityMirror: 'debian-security',
    keyring: '/usr/share/keyrings/debian-archive-keyring.gpg',
    fileName: 'debian.sources',
  },
  ubuntu: {
    components: 'main restricted universe',
    mirror: 'ubuntu',
    securityMirror: 'ubuntu-security',
    keyring: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
    fileName: 'ubuntu.sources',
  },
};

/** Without packages that are removed and have left their configuration. */
const listInstalled = `all=$(dpkg-query -W -f '\${db:Status-Status}\\t\${Package}\\t\${Version}\\t\${Architecture}\\n') || exit
printf '%s\\n' "$all" | sed -n 's/^installed\\t//p'`;

export const apt: PackageManager = {
  install,
  checkInstalled: (name) => ['sh', '-c', 'dpkg-query -W -f \'${Status}\' "$1" | grep -q "ok installed$"', 'sh', name],
  checkDatabase: ['sh', '-c', 'test -z "$(dpkg --audit)"'],
  list: ['sh', '-c', listInstalled],
  pointAtBuild,
  leavePublic,
};

function install(packages: readonly string[]): GuestAction[] {
  const program = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', ...options];
  return [
    {
      kind: 'command',
      title: 'read the package index',
      words: ['sh', '-c', whenIndexIsFree, 'sh', ...program, 'update'],
    },
    {
      kind: 'command',
      title: `install ${packages.join(', ')}`,
      words: [...program, 'install', '-y', '--no-install-recommends', '--', ...packages],
    },
  ];
}

function archiveOf({ distro }: Plan): Archive {
  return distro.family === 'ubuntu' ? archives.ubuntu : archives.debian;
}

/** apt names what it has read of `http://10.0.2.2:PORT/TOKEN/debian` `10.0.2.2:PORT_TOKEN_debian_...`. */
function pointAtBuild(plan: Plan, root: string, sourcesOf: SourcesOf): string {
  const move = `root='${root}'
sed -i -E "s#${buildAddress}/#$root/#" /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null
if cd /var/lib/apt/lists; then
  new=$(printf '%s' "\${root#http://}" | tr / _)
  for file in [0-9]*.*:*_*_*; do
    [ -e "$file" ] || continue
    rest=\${file#*_}
    mv "$file" "\${new}_\${rest#*_}"
  done
fi
`;
  if (sourcesOf === 'build') return move;
  const { mirror, securityMirror, components, fileName } = archiveOf(plan);
  const { codename } = plan.distro;
  return `${move}
# What else an image's maker or the recipe has put there is wanted in the image.
rm -f /etc/apt/sources.list.d/kvmimg-build.list /etc/apt/sources.list.d/${fileName}
cat >/etc/apt/sources.list <<END
deb $root/${mirror} ${codename} ${components}
deb $root/${mirror} ${codename}-updates ${components}
deb $root/${securityMirror} ${codename}-security ${components}
END
`;
}

function leavePublic(plan: Plan): string {
  const { components, keyring, fileName } = archiveOf(plan);
  const { codename } = plan.distro;
  return `
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/* /var/cache/apt/*.bin
# Of sources.list.d only the build's own: the rest is what the recipe has put there.
wipe /etc/apt/sources.list /etc/apt/sources.list.d/kvmimg-build.list
rm -f /etc/apt/sources.list~ /etc/apt/apt.conf /etc/apt/apt.conf.d/*kvmimg*
# What d-i leaves for its own runs of apt.
rm -f /etc/apt/apt.conf.d/00InstallRecommends /etc/apt/apt.conf.d/00trustcdrom /etc/apt/apt.conf.d/00IgnoreTimeConflict
mkdir -p /var/lib/apt/lists/partial /var/lib/apt/lists/auxfiles /var/cache/apt/archives/partial
chown _apt:root /var/lib/apt/lists/partial
chmod 700 /var/lib/apt/lists/partial
cat >/etc/apt/sources.list.d/${fileName} <<'END'
Types: deb
URIs: ${plan.mirrors.image}
Suites: ${codename} ${codename}-updates
Components: ${components}
Signed-By: ${keyring}

Types: deb
URIs: ${plan.mirrors.imageSecurity}
Suites: ${codename}-security
Components: ${components}
Signed-By: ${keyring}
END
${publishRepositories(plan, '/etc/apt/sources.list.d/*')}`;
}
