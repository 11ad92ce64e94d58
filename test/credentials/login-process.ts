import { openCredentials } from '../../src/credentials/credentials.ts'

// A process of its own that logs in to COUNT registries, one after the other: HOME NAME COUNT
const [homeDir = '', name = '', count = '1'] = process.argv.slice(2)
const { storeCredential } = openCredentials({ env: {}, homeDir, platform: process.platform })
for (let number = 0; number < Number(count); number++) {
  await storeCredential(`${name}-${number}.example`, { kind: 'basic', username: name, password: 'hunter2' })
}
