import { createHash } from 'node:crypto'
import type { Principal } from '../token/principal.ts'

/** Whose documents: a subject of an issuer, as a user or as a machine. */
export interface Owner {
  readonly issuer: string
  readonly subject: string
  readonly kind: 'user' | 'client'
}

/**
 * The owner that a principal acts as. A token whose subject is its own client (client credentials,
 * RFC 9068 section 5) stands for a machine: it never gets the documents of a user whose subject
 * happens to be the same text, nor the user those of the machine.
 */
export function ownerOf({ issuer, subject, clientId }: Principal): Owner {
  return { issuer, subject, kind: subject === clientId ? 'client' : 'user' }
}

/** The owner as one text: no two owners share it, since JSON tells where each part ends. */
export function ownerName({ issuer, subject, kind }: Owner): string {
  return JSON.stringify([issuer, subject, kind])
}

/** What the database knows the owner by: the SHA-256 of {@link ownerName}. */
export function ownerKey(owner: Owner): string {
  return createHash('sha256').update(ownerName(owner)).digest('base64url')
}
