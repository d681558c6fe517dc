import type { Algorithm } from './algorithms.ts'
import { type Refusal, refusals } from './refusal.ts'
import { isObject } from '../json/object.ts'

/** Whether an API accepts, or demands, tokens that are bound in one way. */
export type BindingMode = 'off' | 'optional' | 'required'

/** How the tokens of one issuer may be, or must be, bound to their sender. */
export interface BindingPolicy {
  /** To a key that the client proves to have with each request (RFC 9449). */
  readonly dpop: BindingMode
  /** To the certificate of the client's TLS connection (RFC 8705). */
  readonly mtls: BindingMode
  /** Whether tokens must be bound in one of the ways that are on. Default false. */
  readonly isRequired?: boolean | undefined
  /** The only signature algorithms of proofs beside them. Default: those of the API. */
  readonly proofAlgorithms?: readonly Algorithm[] | undefined
}

/** What an accepted token is bound to: all of it has to be proved with each request. */
export interface Confirmation {
  /** RFC 7638 thumbprint of the key (`jkt`); undefined if the token is bound to no key. */
  readonly keyThumbprint: string | undefined
  /** SHA-256 of the certificate (`x5t#S256`), base64url; undefined if the token is bound to no certificate. */
  readonly certificateThumbprint: string | undefined
}

const unbound: BindingPolicy = Object.freeze({ dpop: 'off', mtls: 'off' })

/** A SHA-256 in base64url without padding (RFC 9449 section 6.1, RFC 8705 section 3.1). */
const thumbprint = /^[\w-]{43}$/

/**
 * Judges the `cnf` claim. A token that is bound in a way that is switched off is refused, since nobody could prove that
 * it is in the right hands (RFC 9449 section 7.2, RFC 8705 section 3); so is one that is not bound as it must be. Members
 * of other specifications are not looked at beside one that is proved (RFC 7800 section 3.1), as Keycloak sends them; alone
 * they say that the token is bound in a way that nobody can prove here.
 * @returns the refusal, or undefined: then {@link confirmationOf} says what there is to prove
 */
export function judgeConfirmation(
  cnf: unknown,
  { dpop, mtls, isRequired = false }: BindingPolicy = unbound
): Refusal | undefined {
  const mustBeBound = isRequired || dpop === 'required' || mtls === 'required'
  const unlessBound = mustBeBound ? refusals.not_sender_constrained : undefined
  if (cnf === undefined) return unlessBound
  if (!isObject(cnf)) return refusals.invalid_claims
  if (!('jkt' in cnf || 'x5t#S256' in cnf)) return unlessBound ?? refusals.sender_constrained
  return judgeMember(cnf, 'jkt', dpop) ?? judgeMember(cnf, 'x5t#S256', mtls)
}

/** What the claims of an accepted token are bound to; undefined if they are not. */
export function confirmationOf(cnf: unknown): Confirmation | undefined {
  if (cnf === undefined) return undefined
  const { jkt, 'x5t#S256': x5t } = cnf as { jkt?: string; 'x5t#S256'?: string }
  return Object.freeze({ keyThumbprint: jkt, certificateThumbprint: x5t })
}

function judgeMember(
  cnf: Record<string, unknown>,
  name: 'jkt' | 'x5t#S256',
  mode: BindingMode
): Refusal | undefined {
  if (!(name in cnf)) return mode === 'required' ? refusals.not_sender_constrained : undefined
  if (mode === 'off') return refusals.sender_constrained
  const value = cnf[name]
  return typeof value === 'string' && thumbprint.test(value) ? undefined : refusals.invalid_claims
}
