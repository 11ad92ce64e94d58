import { join } from 'node:path'
import { ifThere } from '../files/io-error.ts'
import { readBounded } from '../files/read-bounded.ts'
import type { EngineTls } from './engine-connection.ts'

const maxPemBytes = 1024 * 1024

/**
 * Reads the certificates that docker's programs look for in DOCKER_CERT_PATH: `ca.pem`, `cert.pem` and `key.pem`; what is not
 * there is left out.
 * @param verify false takes any certificate of the engine's, as docker does where DOCKER_TLS_VERIFY is empty
 * @throws DrayError `IO`, `INTEGRITY` for a file that is no certificate by its size
 */
export async function readEngineTls(folder: string, verify: boolean): Promise<EngineTls> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map(file => ifThere(readBounded(join(folder, file), maxPemBytes))),
  )
  return { ca: ca?.toString(), cert: cert?.toString(), key: key?.toString(), verify }
}
