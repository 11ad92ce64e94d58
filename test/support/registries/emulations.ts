import { acr } from './acr.ts'
import { artifactory } from './artifactory.ts'
import { distribution } from './distribution.ts'
import { distribution3 } from './distribution-3.ts'
import { dockerHub } from './docker-hub.ts'
import { dtr } from './dtr.ts'
import { ecr } from './ecr.ts'
import { ecrPublic } from './ecr-public.ts'
import type { Emulate } from './emulation.ts'
import { ghcr } from './ghcr.ts'
import { gitlab, olderGitlab } from './gitlab.ts'
import { artifactRegistry, containerRegistry } from './google.ts'
import { harbor } from './harbor.ts'
import { quay } from './quay.ts'

/** Every provider that is emulated. */
export const emulations: readonly Emulate[] = [
  dockerHub,
  ghcr,
  gitlab,
  olderGitlab,
  ecr,
  ecrPublic,
  artifactRegistry,
  containerRegistry,
  acr,
  harbor,
  artifactory,
  quay,
  dtr,
  distribution,
  distribution3,
]
