import { makeVolumes } from '../recipe/install-settings.ts';
import { splitKeyboard } from '../recipe/keyboard.ts';
import { type Recipe, recipeSchema } from '../recipe/schema.ts';
import type { ElementCheck } from './elements.ts';

/** The checks of what only an installer makes. */
export function checkInstalled(recipe: Recipe): ElementCheck[] {
  const { network, ntp, repositories, timezone, locale, keyboard } = recipe;
  // An answer file of the user's need not heed what the recipe has by default.
  const defaults = recipe.answerFile === undefined ? undefined : recipeSchema.parse({ distro: recipe.distro });
  return [
    ...(timezone === defaults?.timezone ? [] : [checkTimezone(timezone)]),
    ...(locale === defaults?.locale ? [] : [checkLocale(locale)]),
    ...(keyboard === defaults?.keyboard ? [] : [checkKeyboard(keyboard)]),
    ...(defaults === undefined ? checkDisk(recipe.disk) : []),
    ...repositories.map(({ name, url }) =>
      checkConfigured(`repository ${name}`, url, ['/etc/apt/sources.list.d', '/etc/yum.repos.d']),
    ),
    ...ntp.map((server) =>
      checkConfigured(`time server ${server}`, server, [
        '/etc/systemd/timesyncd.conf.d',
        '/etc/chrony.conf',
        '/etc/chrony',
      ]),
    ),
    ...(network === 'dhcp' ? [] : [checkConfigured(`address ${network.address}`, network.address, networkFolders)]),
  ];
}

function checkDisk(disk: Recipe['disk']): ElementCheck[] {
  const swap = { element: 'swap', words: ['sh', '-c', 'tail -n +2 /proc/swaps | grep -q .'] };
  return [
    ...makeVolumes(disk).map(({ path }): ElementCheck => checkVolume(path, disk.filesystem)),
    checkVolume('/', disk.filesystem),
    ...(disk.swap === undefined ? [] : [swap]),
  ];
}

/** Where the families keep the network of an image that starts without first-boot data. */
const networkFolders = ['/usr/lib/kvmimg', '/etc/systemd/network', '/etc/netplan', '/etc/NetworkManager'];

function checkVolume(path: string, filesystem: string): ElementCheck {
  const script = 'test "$(findmnt -n -o FSTYPE --mountpoint "$1")" = "$2"';
  return { element: `file system ${path}`, words: ['sh', '-c', script, 'sh', path, filesystem] };
}

/** A text of the recipe in one of the files that the family has for it; those of other families are not there. */
function checkConfigured(element: string, text: string, places: readonly string[]): ElementCheck {
  return { element, words: ['grep', '-rqsF', '--', text, ...places] };
}

function checkTimezone(timezone: string): ElementCheck {
  return {
    element: `timezone ${timezone}`,
    words: ['test', '/etc/localtime', '-ef', `/usr/share/zoneinfo/${timezone}`],
  };
}

function checkLocale(locale: string): ElementCheck {
  return {
    element: `locale ${locale}`,
    words: ['grep', '-rqsF', `LANG=${locale}`, '/etc/default/locale', '/etc/locale.conf'],
  };
}

function checkKeyboard(keyboard: string): ElementCheck {
  const { layout, variant } = splitKeyboard(keyboard);
  return { element: `keyboard ${keyboard}`, words: ['sh', '-c', keyboardScript, 'sh', layout, variant] };
}

// Debian's and Ubuntu's file is the first, Photon's the second, Anaconda's the third; it copies that one if it can, and
// else tells the console's keymap alone, whose names are others (gb is uk): more than that it is not us cannot be said of
// it. Where no file says anything it is us. Debian puts a Latin layout before one of another script (us,ru).
const keyboardScript = `XKBLAYOUT= XKBVARIANT= KEYMAP=
for file in /etc/default/keyboard /etc/vconsole.conf; do
  if [ -f "$file" ]; then . "$file"; break; fi
done
option() { awk -F '"' -v name="$1" '$2 == name { print $4 }' /etc/X11/xorg.conf.d/00-keyboard.conf 2>/dev/null; }
if [ -z "$XKBLAYOUT" ]; then XKBLAYOUT=$(option XkbLayout) XKBVARIANT=$(option XkbVariant); fi
if [ -z "$XKBLAYOUT" ] && [ "\${KEYMAP:-us}" != us ]; then [ "$1$2" != us ]; exit; fi
layouts=\${XKBLAYOUT:-us}, variants=$XKBVARIANT,
while [ -n "$layouts" ]; do
  if [ "\${layouts%%,*}" = "$1" ] && [ "\${variants%%,*}" = "$2" ]; then exit 0; fi
  layouts=\${layouts#*,} variants=\${variants#*,}
done
echo "it is \${XKBLAYOUT:-us}\${XKBVARIANT:+ ($XKBVARIANT)}"
exit 1`;
