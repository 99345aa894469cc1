import type { DistroOf } from '../../distro/schema.ts';
import type { Plan } from '../../plan/plan.ts';
import { rpmArches, takesPackagesFromIso } from '../../plan/planned-media.ts';
import { buildAddress, publishRepositories } from './build-address.ts';
import type { PackageManager, SourcesOf } from './package-manager.ts';

const rpm = {
  // A package with its version (`kubelet-1.33.1`) is no provide, and a provide (`MTA`) is no package.
  checkInstalled: (name: string) => [
    'sh',
    '-c',
    'rpm -q --quiet "$1" || rpm -q --quiet --whatprovides "$1"',
    'sh',
    name,
  ],
  // As dpkg's audit: dependencies are there, nothing is installed twice.
  checkDatabase: ['sh', '-c', 'rpm -qa >/dev/null && test -z "$(rpm -Va --nofiles --nodigest 2>&1)"'],
  list: ['rpm', '-qa', '--queryformat', '%{NAME}\\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n'],
};

/** dnf 4 and 5 know these options. */
export const dnf: PackageManager = {
  ...rpm,
  install: (packages) => [
    {
      kind: 'command',
      title: `install ${packages.join(', ')}`,
      // dnf 5 refuses `--`; no name of a package begins with a dash.
      words: ['dnf', '-y', '--setopt=install_weak_deps=False', 'install', ...packages],
    },
  ],
  pointAtBuild,
  leavePublic: (plan) => leavePublic(plan, 'dnf'),
};

/** Photon's own, without weak dependencies of its own accord. */
export const tdnf: PackageManager = {
  ...rpm,
  install: (packages) => [
    { kind: 'command', title: `install ${packages.join(', ')}`, words: ['tdnf', '-y', 'install', ...packages] },
  ],
  pointAtBuild,
  leavePublic: (plan) => leavePublic(plan, 'tdnf'),
};

/** The distribution's own repository files lie here while an image is built, and come back with the seal. */
const shelf = '/etc/kvmimg-repos.d';
const buildFile = '/etc/yum.repos.d/kvmimg-build.repo';

interface BuildRepository {
  readonly id: string;
  /** Below the guest's root. */
  readonly path: string;
}

function buildRepositories(plan: Plan): readonly BuildRepository[] {
  const { distro } = plan;
  if (distro.family === 'redhat' && takesPackagesFromIso(plan)) {
    return distro.repositories.flatMap(({ id, isoPath }) => (isoPath ? [{ id, path: `iso${isoPath}` }] : []));
  }
  return publicRepositories(plan).map(({ id, path }) => ({ id, path: `packages/${path}` }));
}

function publicRepositories({ distro, recipe }: Plan): readonly { readonly id: string; readonly path: string }[] {
  const { repositories } = distro as DistroOf<'redhat' | 'photon'>;
  return repositories.map(({ id, path }) => ({ id, path: path.replaceAll('{arch}', rpmArches[recipe.arch]) }));
}

function pointAtBuild(plan: Plan, root: string, sourcesOf: SourcesOf): string {
  const move = `root='${root}'
for file in /etc/yum.repos.d/*.repo; do
  [ -e "$file" ] || continue
  sed -i -E "s#${buildAddress}/#$root/#" "$file"
done
`;
  if (sourcesOf === 'build') return move;
  const sections = buildRepositories(plan).map(
    ({ id, path }) => `[kvmimg-${id}]\nname=${id}\nbaseurl=$root/${path}\nenabled=1\ngpgcheck=1\n`,
  );
  return `${move}
mkdir -p ${shelf}
for file in /etc/yum.repos.d/*.repo; do
  [ -e "$file" ] || continue
  grep -qF "$root" "$file" || mv "$file" ${shelf}/
done
# Not every rpm can read every key that its distribution ships (version 6, or bound by SHA-1).
for key in /etc/pki/rpm-gpg/RPM-GPG-KEY-*; do
  if [ -e "$key" ]; then rpm --import "$key" || echo "kvmimg: rpm cannot read $key"; fi
done
cat >${buildFile} <<END
${sections.join('\n')}END
`;
}

function leavePublic(plan: Plan, program: 'dnf' | 'tdnf'): string {
  const ownMirror = plan.mirrors.image !== plan.distro.mirrors.public;
  // Only the distribution's own: what the recipe and its steps have put there stays as it is.
  const disable = `  sed -i 's/^enabled *=.*/enabled=0/' ${shelf}/*.repo\n`;
  return `
${program} -q clean all || true
rm -rf /var/cache/dnf /var/cache/libdnf5 /var/cache/yum /var/cache/tdnf /var/log/dnf* /var/log/tdnf*
wipe ${buildFile}
if [ -d ${shelf} ]; then
${ownMirror ? disable : ''}  find ${shelf} -name '*.repo' -exec mv -n {} /etc/yum.repos.d/ ';'
  rm -rf ${shelf}
fi
${ownMirror ? writeOwnMirror(plan) : ''}${publishRepositories(plan, '/etc/yum.repos.d/*.repo')}`;
}

/** The recipe's `imageMirror` in place of the distribution's mirror lists. */
function writeOwnMirror(plan: Plan): string {
  const sections = publicRepositories(plan).map(
    ({ id, path }) => `[${id}]\nname=${id}\nbaseurl=${plan.mirrors.image}/${path}\nenabled=1\ngpgcheck=1\n`,
  );
  return `cat >/etc/yum.repos.d/kvmimg-mirror.repo <<'END'
${sections.join('\n')}END
`;
}
