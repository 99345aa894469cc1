/** The layouts of xkeyboard-config 2.42 (its evdev.lst). */
const layouts = `
af al am ara at au az ba bd be bg br brai bt bw by ca cd ch cm cn custom cz de dk dz ee eg epo es et fi fo fr gb ge gh
gn gr hr hu id ie il in iq ir is it jp ke kg kh kr kz la latam lk lt lv ma md me mk ml mm mn mt mv my ng nl no np nz
ph pk pl pt ro rs ru se si sk sn sy tg th tj tm tr tw tz ua us uz vn za
`;

export const knownKeyboardLayouts: readonly string[] = layouts.trim().split(/\s+/);

/** Languages, and names of console keymaps, that people take for layouts: those are called by countries. */
const mistaken: Readonly<Record<string, string>> = {
  cs: 'cz',
  da: 'dk',
  el: 'gr',
  en: 'us',
  he: 'il',
  hi: 'in',
  ja: 'jp',
  ko: 'kr',
  sl: 'si',
  sv: 'se',
  uk: 'gb',
};

/** The layout that is most likely meant by what is none. */
export function findMeantLayout(name: string): string | undefined {
  return mistaken[name];
}

/** `de(nodeadkeys)` is layout `de`, variant `nodeadkeys`. */
export function splitKeyboard(keyboard: string): { readonly layout: string; readonly variant: string } {
  const [, layout = keyboard, variant = ''] = /^([^(]+)(?:\((.*)\))?$/.exec(keyboard) ?? [];
  return { layout, variant };
}
