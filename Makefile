# SPDX-License-Identifier: Apache-2.0
# SDP: encrypted, reliable messages between the hosts of a datacenter.
# `make help` lists what there is. Kbuild (beside this file) is what the kernel's
# build system reads; this file is for people.

.DEFAULT_GOAL := module
PREFIX ?= /usr/local
lib := selftests/lib

.PHONY: help deps module mlx5 userspace demo shell check check-nic bench bench-redis deb install uninstall clean distclean

help:
	@echo 'make [module]         the kernel modules, in build/amd64 (Debian 6.12)'
	@echo 'make mlx5             the NIC driver that seals, in build/mlx5 (docs/mlx5.md)'
	@echo 'make userspace        library, tool and examples, in build/userspace'
	@echo 'make shell            two hosts in a virtual machine, and a shell that uses them'
	@echo 'make demo             two hosts in a virtual machine move real files'
	@echo 'make check            all tests'
	@echo 'make check-nic        those about NICs that seal'
	@echo 'make bench            counted instructions beside UDP, TCP, kTLS and TLS, tables and plots'
	@echo 'make bench-redis      Redis over TCP, over its TLS and over SDP: workloads of YCSB'
	@echo 'make deb              Debian packages, in build/deb'
	@echo 'make install          module (DKMS), library and tool, into this machine'
	@echo 'make uninstall        takes that back'
	@echo 'make deps             installs what all of this needs, with apt-get'
	@echo 'make clean            removes build/'
	@echo 'make distclean        and the cached kernels'
	@echo
	@echo 'KERNEL=K      module, mlx5: for rt, cloud, uml, or a kernel build folder'
	@echo 'PART="P ..."  check: these parts alone'
	@echo 'LIST=1        check: lists the parts'
	@echo 'ALL=1         check, check-nic: also what takes long'
	@echo 'QUICK=1       bench, bench-redis: some of it, in a few minutes'
	@echo 'ONLY="S ..."  bench: these suites alone'
	@echo 'ARGS=...      bench, bench-redis: options of bench/run, bench/redis'
	@echo 'PREFIX=D      install, uninstall: /usr/local'
	@echo 'DESTDIR=D     install, uninstall: into this folder, without DKMS'
	@echo 'From the environment: SDP_BUILD (build/), SDP_CACHE (~/.cache/sdp),'
	@echo 'SDP_KERNEL (6.12.N+deb12), SDP_JOBS (parts at once, 2), SDP_DEB_VERSION'
	@echo '(of packages), SDP_SHELL_SECONDS (how long a shell may live, a day)'

deps:
	@selftests/deps

# Inside a build of another kernel, or with KERNEL given, nothing is installed.
module:
	@$(if $(KERNEL),,selftests/deps build)
	@$(lib)/kbuild $(or $(KERNEL),amd64)

mlx5:
	@selftests/deps build uml
	@mlx5-patch/build $(KERNEL)

userspace:
	@selftests/deps build
	@$(lib)/userspace

demo:
	@selftests/demo/run

shell:
	@selftests/shell/run

bench:
	@bench/run $(if $(QUICK),-q) $(ARGS) $(ONLY)

bench-redis:
	@bench/redis $(if $(QUICK),-q) $(ARGS)

deb:
	@selftests/deps build package
	@packaging/deb

check:
	@selftests/check/run $(if $(LIST),-l) $(PART)

nic_parts := $(notdir $(wildcard selftests/check/parts/*mlx5 selftests/check/parts/*nic*))
check-nic:
	@ALL=$(ALL) selftests/check/run $(nic_parts)

version := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
dkms_source := $(DESTDIR)/usr/src/sdp-$(version)

# The module goes to DKMS where there is one, which rebuilds it for every kernel. It would
# keep what it has built of a version before, so that is removed first.
install:
	SDP_WERROR=OFF $(lib)/userspace install "$(DESTDIR)" "$(PREFIX)"
	$(if $(DESTDIR),,$(dkms_remove))
	rm -rf "$(dkms_source)"
	install -d "$(dkms_source)"
	cp -r Kbuild dkms.conf module include "$(dkms_source)/"
	install -d "$(DESTDIR)$(PREFIX)/include/linux"
	install -m 644 include/uapi/linux/*.h "$(DESTDIR)$(PREFIX)/include/linux/"
	ln -sf linux/homa.h "$(DESTDIR)$(PREFIX)/include/homa.h"
	install -Dm 644 docs/sdp.7 "$(DESTDIR)$(PREFIX)/share/man/man7/sdp.7"
	install -Dm 644 docs/sdp.8 "$(DESTDIR)$(PREFIX)/share/man/man8/sdp.8"
	install -Dm 644 userspace/tools/completion/sdp "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sdp"
	$(if $(DESTDIR),,ldconfig; if command -v dkms >/dev/null; then \
		dkms add sdp/$(version) && dkms install --force sdp/$(version); \
	else echo 'dkms is not installed: apt-get install dkms, then make install'; exit 1; fi)
	$(if $(DESTDIR),,@[ ! -e /sys/module/sdp ] || \
		echo 'An older module may be loaded: modprobe -r sdp; modprobe sdp')

dkms_remove = if dkms status sdp/$(version) 2>/dev/null | grep -q .; then dkms remove sdp/$(version) --all; fi

uninstall:
	$(if $(DESTDIR),,-$(dkms_remove))
	rm -rf "$(dkms_source)"
	$(lib)/userspace uninstall "$(DESTDIR)" "$(PREFIX)"
	cd "$(DESTDIR)$(PREFIX)/include" && rm -f homa.h \
		$(patsubst include/uapi/%,%,$(wildcard include/uapi/linux/*.h))
	rm -f "$(DESTDIR)$(PREFIX)/share/man/man7/sdp.7" "$(DESTDIR)$(PREFIX)/share/man/man8/sdp.8" \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sdp"
	$(if $(DESTDIR),,ldconfig)

clean:
	rm -rf "$${SDP_BUILD:-build}"

distclean: clean
	rm -rf "$${SDP_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/sdp}"
