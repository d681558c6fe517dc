import { orLate } from '../issuer/deadline.ts'
import { IssuerUnavailable, type Verdict } from './verdict.ts'

/** The verdict, or that the issuer can not be asked now if it takes too long. */
export async function inTime(issuer: string, judging: Promise<Verdict>): Promise<Verdict> {
  const verdict = await orLate(judging)
  return verdict === 'late' ? new IssuerUnavailable(issuer, 1) : verdict
}
