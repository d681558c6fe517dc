import { type ClaimPath, claimAt, isClaimPath, parseClaimPath } from './roles.ts'
import { isObject } from '../json/object.ts'

/** What a claim may have to be; `*` is any value at all. */
type ClaimValue = string | number | boolean

/** Claims, named as in `claims.roles`, each with its only value or a list of allowed ones. All must be there. */
export type RequiredClaims = Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>

/** Checked {@link RequiredClaims}. */
export type ClaimRequirements = readonly {
  readonly path: ClaimPath
  readonly allowed: readonly ClaimValue[]
}[]

const anyValue = '*'

/** Whether claims meet one of several sets of requirements; with no sets, always. Values are compared exactly. */
export function hasRequiredClaims(
  claims: Readonly<Record<string, unknown>>,
  alternatives: readonly ClaimRequirements[]
): boolean {
  return (
    alternatives.length === 0 ||
    alternatives.some((requirements) =>
      requirements.every(({ path, allowed }) => isAllowed(claimAt(claims, path), allowed))
    )
  )
}

/** The sets of requirements in an option, of which a token has to meet one; undefined if it is malformed. */
export function readRequiredClaims(option: unknown): readonly ClaimRequirements[] | undefined {
  const sets: unknown[] = Array.isArray(option) ? option : [option]
  if (sets.length === 0 || !sets.every(isRequiredClaims)) return undefined
  return sets.map((required) =>
    Object.entries(required).map(([name, value]) => ({
      path: parseClaimPath(name),
      allowed: [value].flat()
    }))
  )
}

function isAllowed(value: unknown, allowed: readonly unknown[]): boolean {
  return value !== undefined && (allowed.includes(anyValue) || allowed.includes(value))
}

function isRequiredClaims(value: unknown): value is RequiredClaims {
  if (!isObject(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length > 0 &&
    entries.every(([name, allowed]) => isClaimPath(name) && [allowed].flat().every(isClaimValue)) &&
    entries.every(([, allowed]) => !Array.isArray(allowed) || allowed.length > 0)
  )
}

function isClaimValue(value: unknown): value is ClaimValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
