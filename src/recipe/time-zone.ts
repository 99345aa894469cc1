/** Parts of names in zoneinfo that are capitals alone; everything else is written as a name is. */
const capitals = 'ACT CET EET EST GB GMT HST LHI MET MST NSW NZ PRC ROC ROK UCT US UTC WET'.split(' ');

/**
 * A zone's name as zoneinfo spells it: Intl takes every spelling, and the image's file system only one. Intl gives the
 * zone that a link (`US/Eastern`) stands for, so that of links only shouting is found. Undefined for what is no zone.
 */
export function spellTimeZone(name: string): string | undefined {
  const zone = findZone(name);
  if (zone === undefined || zone.toLowerCase() === name.toLowerCase()) return zone;
  return name
    .split('/')
    .map((part) => (/^[A-Z]{2,}$/.test(part) && !capitals.includes(part) ? titleCase(part) : part))
    .join('/');
}

/**
 * The zone by region and city (`America/New_York`) that a name of another kind (`US/Eastern`, `Japan`) stands for;
 * undefined where it is of that kind, or where a zone is no place (`UTC`, `EST5EDT`).
 */
export function findZoneByCity(name: string): string | undefined {
  const isByCity = (zone: string): boolean =>
    /^(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)\//.test(zone);
  if (isByCity(name) || /^(Etc\/|[A-Z]{3}(\d[A-Z]{3})?$)/.test(name)) return undefined;
  const zone = findZone(name);
  return zone !== undefined && isByCity(zone) ? zone : undefined;
}

function findZone(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

function titleCase(word: string): string {
  return `${word.slice(0, 1)}${word.slice(1).toLowerCase()}`;
}
