import * as z from 'zod/mini'
import { isDrayError } from '../errors.ts'

/** Texts that `read` can read; where it cannot, its DrayError says what is wrong. */
export function readable(read: (text: string) => unknown) {
  return z.string().check(payload => {
    try {
      read(payload.value)
    } catch (error) {
      if (!isDrayError(error)) throw error
      payload.issues.push({ code: 'custom', message: error.message, input: payload.value })
    }
  })
}
