import type { Family } from '../distro/schema.ts';
import { findMeantLayout, knownKeyboardLayouts, splitKeyboard } from '../recipe/keyboard.ts';
import { knownLocales } from '../recipe/locale-names.ts';
import { findOvfChanges, findTellingFormats } from '../recipe/ovf-settings.ts';
import type { Recipe } from '../recipe/schema.ts';
import { isWholeSshKey } from '../recipe/ssh-key.ts';
import { findZoneByCity } from '../recipe/time-zone.ts';
import { findClosestName } from '../suggestion.ts';
import type { Plan } from './plan.ts';

/** What a plan can do without, and its user would want to know before the build: a sentence each. */
export function findWarnings({ recipe, distro }: Pick<Plan, 'recipe' | 'distro'>): readonly string[] {
  return [
    ...findKeyWarnings(recipe),
    ...findOldZone(recipe, distro),
    ...findUnknownLocale(recipe),
    ...findUnknownKeyboard(recipe),
    ...findBridgeSysctls(recipe),
    ...findUnheededOvf(recipe),
    ...findOldHardware(recipe, distro),
  ];
}

/** From these releases on Debian's tzdata has zones by region and city alone; Ubuntu's since 23.10. */
const citiesOnlySince: Readonly<Partial<Record<Family, number>>> = { debian: 13, ubuntu: 23.1 };

function findOldZone({ timezone, packages }: Recipe, { family, release, title }: Plan['distro']): string[] {
  const since = citiesOnlySince[family];
  const byCity = findZoneByCity(timezone);
  if (byCity === undefined || since === undefined || Number(release) < since) return [];
  if (packages.includes('tzdata-legacy')) return [];
  return [`timezone: ${title} has ${timezone} in tzdata-legacy alone, and the install may fail. Use ${byCity}.`];
}

/** No problem: a release may have locales that the list has not. */
function findUnknownLocale({ locale }: Recipe): string[] {
  if (knownLocales.includes(locale)) return [];
  return [`locale: glibc 2.41 has no ${locale}.${didYouMean(findClosestName(locale, knownLocales))}`];
}

/** Installers take any name, and the console has the keys of `us` then. */
function findUnknownKeyboard({ keyboard }: Recipe): string[] {
  const { layout } = splitKeyboard(keyboard);
  if (knownKeyboardLayouts.includes(layout)) return [];
  const meant = findMeantLayout(layout);
  return [`keyboard: XKB has no layout ${layout}; most are called by their country.${didYouMean(meant)}`];
}

function didYouMean(name: string | undefined): string {
  return name === undefined ? '' : ` Did you mean ${name}?`;
}

/** A module that a boot has loaded is gone with it; Docker loads it; what a base or a user's own file does is not known. */
function findBridgeSysctls({ base, provision }: Recipe): string[] {
  if (base !== undefined) return [];
  return provision.flatMap(({ sysctls = {} }, index) => {
    const name = Object.keys(sysctls).find((one) => /^net[./]bridge[./]/.test(one));
    const mayLoad = provision.slice(0, index).some(({ packages = [], scripts = [] }) => {
      const isDocker = packages.some((name) => /docker/.test(name));
      return isDocker || scripts.some(({ run }) => run === undefined || run.includes('br_netfilter'));
    });
    if (name === undefined || mayLoad) return [];
    return [
      `provision[${index}].sysctls: ${name} is there only while br_netfilter is loaded, and no step before does that. Before it, write br_netfilter to /etc/modules-load.d/br_netfilter.conf, and run modprobe br_netfilter in a script.`,
    ];
  });
}

function findKeyWarnings({ users }: Recipe): string[] {
  return users.flatMap(({ name, sshKeys }, user) =>
    sshKeys.flatMap((key, index) =>
      isWholeSshKey(key)
        ? []
        : [`users[${user}].sshKeys[${index}] is no whole public key of a known type: ${name} cannot log in by it.`],
    ),
  );
}

/** No problem: the formats of a recipe are often others on the command line. */
function findUnheededOvf({ ovf, formats }: Recipe): string[] {
  return findOvfChanges(ovf)
    .map((name) => ({ name, telling: findTellingFormats(name) }))
    .filter(({ telling }) => !formats.some((format) => telling.includes(format)))
    .map(
      ({ name, telling }) => `ovf.${name} is of ${telling.join(' and ')}, and formats has only ${formats.join(', ')}.`,
    );
}

function findOldHardware({ ovf, formats }: Recipe, distro: Plan['distro']): string[] {
  const { hardwareVersion = distro.ovf.hardwareVersion, osType } = ovf;
  if (hardwareVersion >= distro.ovf.hardwareVersion || osType !== undefined || !formats.includes('ova')) return [];
  const { title, ovf: own } = distro;
  return [
    `ovf.hardwareVersion is ${hardwareVersion}, and ${title} is told as ${own.osType}, which hosts older than ${own.hardwareVersion} may not know: say ovf.osType as well.`,
  ];
}
