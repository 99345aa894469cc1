import { z } from 'zod';
import { autoinstallSchemas } from './autoinstall-schema.ts';
import { photonKickstart } from './photon-schema.ts';

/** The documented formats as the tests know them, under the name of the distro whose golden files hold to them. */
const formats: Readonly<Record<string, { readonly title: string; readonly schema: z.ZodType }>> = {
  ...Object.fromEntries(
    Object.entries(autoinstallSchemas).map(([release, schema]) => [
      `ubuntu-${release.replace('.', '')}`,
      { title: `user-data of the installer of Ubuntu ${release}, as kvmimg writes it`, schema },
    ]),
  ),
  'photon-5': { title: 'ks.json of the installer of Photon 5.0, as kvmimg writes it', schema: photonKickstart },
};

/** JSON Schemas, draft 7 so that old validators read them, as texts by distro. What only code can check is not in them. */
export const answerJsonSchemas: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(formats).map(([id, { title, schema }]) => {
    const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
    return [id, `${JSON.stringify({ $schema, title, ...rest }, undefined, 2)}\n`];
  }),
);
