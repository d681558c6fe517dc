export {
  default,
  default as latchkey,
  type Latchkey,
  type LatchkeyOptions
} from '../plugins/latchkey.ts'
export type { KeySetSnapshot, KeySetStore } from './issuer/key-set.ts'
export type { IssuerOptions } from './issuer/trusted-issuer.ts'
export type { UserInfoClaims } from './issuer/userinfo.ts'
export { ProblemError, type ProblemKind } from './http/problem.ts'
export type { Algorithm } from './token/algorithms.ts'
export type { GuardDeclaration } from './token/guard.ts'
export type { Principal } from './token/principal.ts'
