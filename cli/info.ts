import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

type Stats = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** `lictor info`: the figures of /v1/agent/self. */
export const infoCommand = command({
  name: 'info',
  summary: 'Show what the agent says of itself',
  program(io) {
    return withClientFlags(
      program('lictor info', 'Shows figures of the agent, by part.', ['lictor info', 'lictor info -format json'], io),
    ).action(async (flags: ClientFlags) => {
      const { Stats } = await withApi(flags, io, (api) => api.get<{ Stats: Stats }>('/v1/agent/self'));
      io.stdout.write(flags.format === 'json' ? json(Stats) : infoText(Stats));
    });
  },
});

/** Consul's layout: each part with its figures below it, all in order of their names. */
export function infoText(stats: Stats): string {
  return sorted(stats)
    .map(([part, figures]) => {
      const lines = sorted(figures).map(([name, value]) => `\t${name} = ${value}\n`);
      return `${part}:\n${lines.join('')}`;
    })
    .join('');
}

function sorted<T>(values: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
}
