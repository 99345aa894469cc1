/**
 * The language of the programs whose output is read: messages in English, names in UTF-8. `LC_ALL` would have the last
 * word over `LANG`, and `LANGUAGE` over both where a C library does not take `C.UTF-8` for `C`.
 */
export const knownLanguage = { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', LANGUAGE: '' } as const;
