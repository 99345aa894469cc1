import type { Step } from '../recipe/schema.ts';
import type { ElementCheck, GuestAction } from './elements.ts';

type Services = Step['services'];

const verbs = ['enable', 'disable', 'mask'] as const;

/** Enables, disables and masks; what `systemctl enable` takes and cannot enable fails at once, and not in the check. */
export function serviceActions(services: Services): GuestAction[] {
  return verbs.flatMap((verb): GuestAction[] => {
    const units = services?.[verb] ?? [];
    if (units.length === 0) return [];
    const names = units.join(', ');
    return [
      { kind: 'command', title: `${verb} ${names}`, words: ['systemctl', '-q', verb, '--', ...units] },
      ...(verb === 'enable'
        ? [{ kind: 'command', title: `see that ${names} can start at boot`, words: areEnabled(units) } as const]
        : []),
    ];
  });
}

export function checkServices(services: Services): ElementCheck[] {
  return verbs.flatMap((verb) =>
    (services?.[verb] ?? []).map((unit) => ({
      element: `service ${unit} ${tests[verb].state}`,
      words: tests[verb].words(unit),
    })),
  );
}

const tests = {
  enable: { state: 'enabled', words: (unit: string) => areEnabled([unit]) },
  // A static unit is not enabled either; what matters of a disabled one is that nothing starts it at boot.
  disable: {
    state: 'not enabled',
    words: (unit: string) => [
      'sh',
      '-c',
      'case "$(systemctl is-enabled "$1")" in enabled*) exit 1 ;; esac',
      'sh',
      unit,
    ],
  },
  mask: {
    state: 'masked',
    words: (unit: string) => ['sh', '-c', 'test "$(systemctl is-enabled "$1")" = masked', 'sh', unit],
  },
} as const;

// An alias of an enabled unit; indirect is one whose [Install] section enables another in its place, such as its socket.
const enabledScript = `failed=0
for unit; do
  state=$(systemctl is-enabled -- "$unit")
  case $state in
    enabled | alias | indirect) continue ;;
    static) echo "$unit cannot be enabled, for it has no [Install] section: something else starts it. Enable that (its timer, socket or path), or have a script run: systemctl add-wants multi-user.target $unit" ;;
    *) echo "$unit is not enabled: $state" ;;
  esac
  failed=1
done
exit $failed`;

function areEnabled(units: readonly string[]): readonly string[] {
  return ['sh', '-c', enabledScript, 'sh', ...units];
}
