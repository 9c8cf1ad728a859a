# The variant for plugins with `exec: true`: the base and a static busybox. `src/image/` fills in the base; by hand:
#   docker build -t lurkbox/base-exec --build-arg BASE=lurkbox/base -f images/exec.Dockerfile images
ARG BASE
FROM busybox:1.37-musl AS tools

FROM ${BASE}
COPY --from=tools /bin/ /bin/
# Where the first line of scripts looks for it: `#!/usr/bin/env node`.
COPY --from=tools /bin/env /usr/bin/env
