import type { InstallerMessage } from './installer-voice.ts';

interface Activity {
  readonly activity: string;
  readonly fraction?: number;
}

/**
 * The steps of Anaconda, as text mode prints them, and how far the install is when one begins: a judgement, for no
 * install of the real one could be measured here.
 */
const steps: readonly (readonly [pattern: RegExp, activity: string, fraction: number])[] = [
  [/Starting automated install/, 'reading the answer file', 0.04],
  [/Setting up the installation environment/, 'setting up the installation environment', 0.06],
  [/Configuring storage|Checking storage configuration|Task started: Activate filesystems/, 'partitioning', 0.07],
  [/Creating (?:disklabel|\w+) on \/dev\//, 'partitioning', 0.08],
  [/Running pre-installation (?:scripts|tasks)/, 'preparing the installation', 0.09],
  [/Starting package installation process/, 'choosing packages', 0.1],
  [/Preparing transaction from installation source/, 'preparing to install packages', 0.3],
  [/Installing boot loader|Task started: Install the boot ?loader/, 'installing the boot loader', 0.8],
  [/Performing post-installation setup tasks/, 'finishing packages', 0.82],
  [/Configuring installed system/, 'configuring the installed system', 0.84],
  [/Writing network configuration/, 'writing the network configuration', 0.85],
  [/Creating users/, 'creating users', 0.86],
  [/Configuring addons/, 'configuring addons', 0.87],
  [/Generating initramfs/, 'generating the initramfs', 0.88],
  [/Running post-installation scripts/, 'running the post script', 0.93],
  [/Storing configuration files and kickstarts/, 'storing configuration files', 0.98],
];

const packages = { begin: 0.3, end: 0.78 };
const downloads = { begin: 0.11, end: 0.3 };

/** What Anaconda does now, by a line of its log or of its console; undefined where the line does not tell. */
export function readRedhatActivity({ text }: Pick<InstallerMessage, 'text'>): Activity | undefined {
  return readPackage(text) ?? readDownload(text) ?? readStep(text);
}

function readPackage(text: string): Activity | undefined {
  const [, name, done, total] = /\bInstalling (\S+)\.(?:x86_64|aarch64|noarch) \((\d+)\/(\d+)\)/.exec(text) ?? [];
  if (name !== undefined) return { activity: `installing ${name}`, fraction: within(packages, done, total) };
  const configured = /\b(Configuring|Verifying) (\S+)\.(?:x86_64|aarch64|noarch)\b/.exec(text);
  if (configured) return { activity: `${configured[1]?.toLowerCase()} ${configured[2]}`, fraction: packages.end };
  const installed = /\bInstalled: (\S+?)-\d/.exec(text)?.[1];
  return installed === undefined ? undefined : { activity: `installing ${installed}` };
}

function readDownload(text: string): Activity | undefined {
  const percent = /\bDownload(?:ing|ed) .*\((\d+)%\)/.exec(text)?.[1];
  return percent === undefined
    ? undefined
    : { activity: 'downloading packages', fraction: within(downloads, percent, '100') };
}

function readStep(text: string): Activity | undefined {
  const step = steps.find(([pattern]) => pattern.test(text));
  return step && { activity: step[1], fraction: step[2] };
}

function within({ begin, end }: { begin: number; end: number }, done = '0', total = '1'): number {
  return begin + (end - begin) * Math.min(1, Number(done) / Math.max(1, Number(total)));
}
