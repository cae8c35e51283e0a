import { parseGoDuration } from '../../core/duration.ts';
import { ANY, BOOL, decodeBody, map, object, STRING } from '../decode.ts';

/** A root certificate as Consul shows it. */
export interface CaRoot {
  readonly ID: string;
  readonly Name: string;
  readonly SerialNumber: number;
  readonly SigningKeyID: string;
  readonly ExternalTrustDomain: string;
  readonly NotBefore: string;
  readonly NotAfter: string;
  readonly RootCert: string;
  readonly IntermediateCerts: readonly string[] | null;
  readonly Active: boolean;
  readonly PrivateKeyType: string;
  readonly PrivateKeyBits: number;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface CaRoots {
  readonly ActiveRootID: string;
  readonly TrustDomain: string;
  readonly Roots: readonly CaRoot[];
}

/** GET /v1/connect/ca/configuration. */
export interface CaConfiguration {
  readonly Provider: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly State: null;
  readonly ForceWithoutCrossSigning: boolean;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** What is asked of the authority, as it was written: checked by the one that it is for. */
export interface CaConfigurationRequest {
  readonly provider: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly forceWithoutCrossSigning: boolean;
}

/** A certificate that was signed for; the private key stays with the one who asked. */
export interface IssuedCertificate {
  readonly SerialNumber: string;
  /** The certificate, followed by the intermediate ones that its verifiers need. */
  readonly CertPEM: string;
  readonly URI: string;
  readonly ValidAfter: string;
  readonly ValidBefore: string;
  /** Whose key has signed. */
  readonly RootID: string;
  readonly Index: number;
}

/** GET /v1/agent/connect/ca/leaf/:service. */
export interface LeafCertificate {
  readonly SerialNumber: string;
  readonly CertPEM: string;
  readonly PrivateKeyPEM: string;
  readonly Service: string;
  readonly ServiceURI: string;
  readonly ValidAfter: string;
  readonly ValidBefore: string;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface AuthorizeRequest {
  readonly Target: string;
  readonly ClientCertURI: string;
  readonly ClientCertSerial: string;
}

export interface Authorization {
  readonly Authorized: boolean;
  readonly Reason: string;
}

export const CA_CONFIGURATION_BODY = object({ Provider: STRING, Config: map(ANY), ForceWithoutCrossSigning: BOOL }, [
  'State',
  'CreateIndex',
  'ModifyIndex',
]);
export const AUTHORIZE_BODY = object({
  Target: STRING,
  ClientCertURI: STRING,
  ClientCertSerial: STRING,
  Namespace: STRING,
});
export const SIGN_BODY = object({ CSR: STRING });

/** @throws AppError `badRequest`. */
export function decodeCaConfiguration(body: Buffer): CaConfigurationRequest {
  const value = decodeBody(CA_CONFIGURATION_BODY, body) as
    | { Provider?: string; Config?: Record<string, unknown>; ForceWithoutCrossSigning?: boolean }
    | undefined;
  return {
    provider: value?.Provider ?? '',
    config: value?.Config ?? {},
    forceWithoutCrossSigning: value?.ForceWithoutCrossSigning ?? false,
  };
}

/** @throws AppError `badRequest`. */
export function decodeAuthorize(body: Buffer): AuthorizeRequest {
  const value = decodeBody(AUTHORIZE_BODY, body) as Partial<AuthorizeRequest> | undefined;
  return {
    Target: value?.Target ?? '',
    ClientCertURI: value?.ClientCertURI ?? '',
    ClientCertSerial: value?.ClientCertSerial ?? '',
  };
}

/** The request to sign, in PEM. @throws AppError `badRequest`. */
export function decodeSign(body: Buffer): string {
  return (decodeBody(SIGN_BODY, body) as { CSR?: string } | undefined)?.CSR ?? '';
}

/** The time-to-live of a configuration: a Go duration, or nanoseconds. undefined for anything else. */
export function ttlMs(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isInteger(value)) return value / 1e6;
  return typeof value === 'string' ? parseGoDuration(value) : undefined;
}

/** Times as certificates have them: whole seconds, UTC. */
export function certificateTime(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** The text of status 500 where the configuration switches the mesh off. */
export const CONNECT_DISABLED = 'Connect must be enabled in order to use this endpoint';
