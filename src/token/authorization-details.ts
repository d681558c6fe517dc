import type { Surroundings } from './demand.ts'
import { isChallengeText } from './challenge.ts'
import type { Principal } from './principal.ts'
import { isObject } from '../json/object.ts'
import { isListOf } from '../config/option-check.ts'

/** What one object of a token's `authorization_details` must grant (RFC 9396 section 2). */
export interface DetailsDeclaration {
  /** The type of the object, compared exactly. */
  readonly type: string
  /** Actions that are all needed. */
  readonly actions?: readonly string[] | undefined
  /** Kinds of data that are all needed. */
  readonly datatypes?: readonly string[] | undefined
  /** The path parameter that an `identifier` of the object must equal. Without it, objects with one grant nothing. */
  readonly identifier?: string | undefined
}

const members = new Set(['type', 'actions', 'datatypes', 'identifier'])

/** Whether a declaration has a type and, of the other members, good ones only. */
export function isDetailsDeclaration(value: unknown): value is DetailsDeclaration {
  if (!isObject(value)) return false
  const { type, actions = ['x'], datatypes = ['x'], identifier = 'x' } = value
  return (
    Object.keys(value).every((name) => members.has(name)) &&
    isChallengeText(type) &&
    isChallengeText(identifier) &&
    [actions, datatypes].every((list) => isListOf(list, isChallengeText))
  )
}

/**
 * Whether one object of the token's `authorization_details` grants all that is needed: rights of several objects are
 * not added up (RFC 9396 section 2.2). A claim that is malformed anywhere grants nothing, nor does a type that is not asked for.
 * @param params the path parameters of the request
 */
export function hasDetails(
  needed: DetailsDeclaration,
  { claims, issuer }: Principal,
  { isThisApi }: Surroundings,
  params: unknown
): boolean {
  const details = claims['authorization_details']
  if (!Array.isArray(details) || !details.every(isTyped)) return false
  return details.some(
    ({ type, actions, datatypes, locations, identifier }) =>
      type === needed.type &&
      includesAll(actions, needed.actions) &&
      includesAll(datatypes, needed.datatypes) &&
      (locations === undefined ||
        (isTexts(locations) && locations.some((location) => isThisApi(location, issuer)))) &&
      (identifier === undefined || identifier === parameterOf(params, needed.identifier))
  )
}

function includesAll(found: unknown, needed: readonly string[] | undefined): boolean {
  if (found !== undefined && !isTexts(found)) return false
  return needed === undefined || needed.every((one) => found?.includes(one) ?? false)
}

/** A parameter that is absent equals nothing that a token can say. */
function parameterOf(params: unknown, name: string | undefined): unknown {
  return name !== undefined && isObject(params) ? params[name] : undefined
}

function isTyped(value: unknown): value is Record<string, unknown> & { readonly type: string } {
  return isObject(value) && typeof value['type'] === 'string'
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}
