import { AppError } from '../../core/errors.ts';
import type { AgentConfig, RpcTlsSettings, TlsSettings } from './agent-config.ts';

/** Reads raw values by key. */
export interface RawValues {
  get<T>(key: string): T | undefined;
}

/** Where the settings of one interface come from, first to last. */
const INTERFACES = {
  https: { section: 'tls.https', verifyIncoming: 'verify_incoming_https' },
  internalRpc: { section: 'tls.internal_rpc', verifyIncoming: 'verify_incoming_rpc' },
} as const;

/** Consul's names since 1.12, and the older ones, which only the key outside of `tls` may have. */
const VERSIONS: Readonly<Record<string, TlsSettings['minVersion']>> = {
  TLSv1_0: 'TLSv1',
  TLSv1_1: 'TLSv1.1',
  TLSv1_2: 'TLSv1.2',
  TLSv1_3: 'TLSv1.3',
};
const OLD_VERSIONS: Readonly<Record<string, string>> = {
  tls10: 'TLSv1_0',
  tls11: 'TLSv1_1',
  tls12: 'TLSv1_2',
  tls13: 'TLSv1_3',
};

/** Cipher suites up to TLS 1.2 by their registered names, and what OpenSSL calls them (its manual, "ciphers"). */
const CIPHER_SUITES: Readonly<Record<string, string>> = {
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_RSA_WITH_AES_128_CBC_SHA256: 'AES128-SHA256',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: 'ECDHE-ECDSA-AES128-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
};

/** The registered names of suites that OpenSSL names, as other libraries take them. */
export function registeredSuites(openSslNames: readonly string[]): string[] {
  return openSslNames.map((name) => Object.entries(CIPHER_SUITES).find(([, value]) => value === name)?.[0] ?? name);
}

/** Keys before `tls {}`, and what stands for them now. */
const DEPRECATED: Readonly<Record<string, string>> = {
  ca_file: 'tls.defaults.ca_file',
  ca_path: 'tls.defaults.ca_path',
  cert_file: 'tls.defaults.cert_file',
  key_file: 'tls.defaults.key_file',
  tls_min_version: 'tls.defaults.tls_min_version',
  tls_cipher_suites: 'tls.defaults.tls_cipher_suites',
  verify_incoming: 'tls.defaults.verify_incoming',
  verify_incoming_https: 'tls.https.verify_incoming',
  verify_incoming_rpc: 'tls.internal_rpc.verify_incoming',
  verify_outgoing: 'tls.defaults.verify_outgoing',
  verify_server_hostname: 'tls.internal_rpc.verify_server_hostname',
};

/**
 * The TLS settings of an interface: its own section, else `tls.defaults`, else the deprecated keys (Consul's rules).
 * @throws AppError `config` naming the key and what would be right.
 */
export function tlsSettings(values: RawValues, name: keyof typeof INTERFACES): TlsSettings {
  const { section, verifyIncoming } = INTERFACES[name];
  const pick = <T>(field: string, ...more: string[]) =>
    [`${section}.${field}`, ...more, `tls.defaults.${field}`, field]
      .map((key) => ({ key, value: values.get<T>(key) }))
      .find(({ value }) => value !== undefined && value !== '');
  const settings: TlsSettings = {
    section,
    caFile: pick<string>('ca_file')?.value ?? '',
    caPath: pick<string>('ca_path')?.value ?? '',
    certFile: pick<string>('cert_file')?.value ?? '',
    keyFile: pick<string>('key_file')?.value ?? '',
    minVersion: minVersion(pick<string>('tls_min_version')),
    cipherSuites: cipherSuites(pick<string>('tls_cipher_suites')),
    verifyIncoming: pick<boolean>('verify_incoming', verifyIncoming)?.value ?? false,
  };
  if ((settings.certFile === '') !== (settings.keyFile === '')) {
    const [given, missing] = settings.certFile === '' ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
    throw wrong(`${section}.${missing}`, `must be given too, since ${given} is (there, or in tls.defaults)`);
  }
  return settings;
}

/**
 * The TLS settings between agents and servers. A hostname is verified by TLS alone, so `verify_server_hostname` turns
 * `verify_outgoing` on, as Consul's does. @throws AppError `config`, as above.
 */
export function rpcTlsSettings(values: RawValues): RpcTlsSettings {
  const isOn = (field: string) =>
    ['tls.internal_rpc.', 'tls.defaults.', '']
      .map((at) => values.get<boolean>(`${at}${field}`))
      .find((value) => value !== undefined) ?? false;
  const verifyServerHostname = isOn('verify_server_hostname');
  return {
    ...tlsSettings(values, 'internalRpc'),
    verifyOutgoing: isOn('verify_outgoing') || verifyServerHostname,
    verifyServerHostname,
  };
}

/** What the settings need beside each other. @throws AppError `config` naming the key that is missing. */
export function verifyRpcTls({ tls: { internalRpc }, mode, ports }: AgentConfig): void {
  const { section, certFile, caFile, caPath, verifyIncoming, verifyOutgoing } = internalRpc;
  const serves = mode !== 'client' && ports.server >= 0;
  const on = [verifyOutgoing && 'verify_outgoing', serves && verifyIncoming && 'verify_incoming'].find(Boolean);
  if (!on) return;
  if (caFile === '' && caPath === '') {
    throw wrong(`${section}.${on}`, `needs to know who signs the certificates; give ${section}.ca_file or ca_path`);
  }
  if (serves && certFile === '') {
    throw wrong(
      `${section}.${on}`,
      `needs a certificate for the servers' port; give ${section}.cert_file and key_file`,
    );
  }
}

/** One line for each thing that is taken but not as safe, or not as new, as it looks. */
export function tlsWarnings(values: RawValues): string[] {
  return Object.entries(DEPRECATED)
    .filter(([key]) => values.get(key) !== undefined)
    .map(([key, now]) => `${key} is deprecated; write ${now}`);
}

type Given<T> = { readonly key: string; readonly value: T | undefined } | undefined;

function minVersion(given: Given<string>): TlsSettings['minVersion'] {
  const { key = '', value = 'TLSv1_2' } = given ?? {};
  const name = key === 'tls_min_version' && Object.hasOwn(OLD_VERSIONS, value) ? OLD_VERSIONS[value]! : value;
  if (Object.hasOwn(VERSIONS, name)) return VERSIONS[name]!;
  throw wrong(key, `${JSON.stringify(value)} must be one of ${Object.keys(VERSIONS).join(', ')}`);
}

function cipherSuites(given: Given<string>): string[] {
  const names = (given?.value ?? '').split(',').map((name) => name.trim());
  return names
    .filter((name) => name !== '')
    .map((name) => {
      if (Object.hasOwn(CIPHER_SUITES, name)) return CIPHER_SUITES[name]!;
      const known = Object.keys(CIPHER_SUITES).join(', ');
      throw wrong(given!.key, `${JSON.stringify(name)} is not a cipher suite that can be chosen; there are ${known}`);
    });
}

function wrong(key: string, text: string): AppError {
  return new AppError('config', `${key}: ${text}`, { facts: { field: key } });
}
