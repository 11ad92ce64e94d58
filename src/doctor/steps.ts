import type { Step } from './examine.ts'
import { challenge } from './steps/challenge.ts'
import { configuration } from './steps/configuration.ts'
import { dns, tcp, tls } from './steps/connection.ts'
import { clock, http } from './steps/http.ts'
import { credential, token } from './steps/login.ts'
import { mirrors } from './steps/mirrors.ts'
import { proxy } from './steps/proxy.ts'
import { pull } from './steps/pull.ts'
import { rateLimit } from './steps/rate-limit.ts'
import { push, remove } from './steps/rights.ts'

/** All that the doctor looks at, in the order in which a request meets it. */
export const steps: readonly Step[] = [
  configuration,
  proxy,
  dns,
  tcp,
  tls,
  http,
  clock,
  challenge,
  credential,
  token,
  pull,
  push,
  remove,
  rateLimit,
  mirrors,
]
