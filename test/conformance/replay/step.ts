/** A recorded step; what each key means is in `../README.md`. */
export interface Step {
  readonly id?: string;
  readonly http?: string;
  readonly dns?: string;
  readonly json?: unknown;
  readonly body?: string;
  readonly body_repeat?: readonly [string, number];
  readonly body_saved?: string;
  readonly json_repeat?: { readonly count: number; readonly item: unknown };
  readonly send?: Readonly<Record<string, string>>;
  readonly token?: string | null;
  readonly times?: number;
  readonly timeout?: number;
  readonly tcp?: boolean;
  readonly edns?: number;
  readonly background?: string;
  readonly await?: string;
  readonly pending?: string;
  readonly for?: number;
  readonly within?: number;
  readonly after?: string;
  readonly at_least?: number;
  readonly total?: number;
  readonly sleep?: number;
  readonly switch?: string;
  readonly to?: number;
  readonly capture?: Readonly<Record<string, string>>;
  readonly save?: string;
  readonly assert?: Readonly<Record<string, string>>;
  readonly index?: string;
  readonly retry?: number;
  readonly skip?: readonly string[];
  readonly headers?: readonly string[];
  readonly only?: readonly string[];
  readonly keys?: readonly string[];
  readonly shape?: boolean;
  readonly x509?: string;
  readonly no_body?: boolean;
  readonly unordered?: boolean;
  readonly drop?: readonly string[];
  readonly mask?: string;
  readonly count?: Readonly<Record<string, readonly [number, number]>>;
  readonly waive?: readonly string[];
  readonly expect?: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  readonly id: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly token?: string;
  readonly ready?: 'leader';
  readonly steps: readonly Step[];
}

export interface ScenarioFile {
  readonly topic: string;
  readonly about: string;
  readonly scenarios: readonly Scenario[];
}
