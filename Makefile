# SPDX-License-Identifier: Apache-2.0
# SDP: encrypted, reliable messages between the hosts of a datacenter.
# `make help` lists what there is. Kbuild (beside this file) is what the kernel's
# build system reads; this file is for people.

.DEFAULT_GOAL := module
PREFIX ?= /usr/local
lib := selftests/lib

.PHONY: help deps module userspace demo check bench install uninstall clean distclean

help:
	@echo 'make [module]         the kernel modules, in build/amd64 (Debian 6.12)'
	@echo 'make module KERNEL=D  for another kernel: rt, cloud, uml, or a build folder'
	@echo 'make userspace        library and tools, in build/userspace'
	@echo 'make demo             two hosts in a virtual machine move real files'
	@echo 'make check [PART=..]  all tests, or the named parts; LIST=1 lists them'
	@echo 'make bench            counted instructions beside TCP and kTLS'
	@echo 'make install          the module (DKMS) and library, into this machine'
	@echo 'make clean            removes build/; distclean the cached kernels too'
	@echo 'Environment: SDP_BUILD (build/), SDP_CACHE (~/.cache/sdp), SDP_KERNEL (6.12.N+deb12)'

deps:
	@selftests/deps

# Inside a build of another kernel, or with KERNEL given, nothing is installed.
module:
	@$(if $(KERNEL),,selftests/deps build)
	@$(lib)/kbuild $(or $(KERNEL),amd64)

userspace:
	@selftests/deps build
	@$(lib)/userspace

demo:
	@selftests/demo/run

bench:
	@bench/run $(ARGS)

check:
	@selftests/check/run $(if $(LIST),-l) $(PART)

version := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
dkms_source := $(DESTDIR)/usr/src/sdp-$(version)

# The module goes to DKMS where there is one, which rebuilds it for every kernel.
install:
	$(lib)/userspace install "$(DESTDIR)" "$(PREFIX)"
	install -d "$(dkms_source)"
	cp -r Kbuild dkms.conf module include "$(dkms_source)/"
	install -d "$(DESTDIR)$(PREFIX)/include/linux"
	install -m 644 include/uapi/linux/*.h "$(DESTDIR)$(PREFIX)/include/linux/"
	ln -sf linux/homa.h "$(DESTDIR)$(PREFIX)/include/homa.h"
	install -Dm 644 docs/sdp.7 "$(DESTDIR)$(PREFIX)/share/man/man7/sdp.7"
	$(if $(DESTDIR),,ldconfig; if command -v dkms >/dev/null; then \
		dkms add sdp/$(version) || :; dkms install --force sdp/$(version); \
	else echo 'dkms is not installed: apt-get install dkms, then make install'; exit 1; fi)

uninstall:
	$(if $(DESTDIR),,-dkms remove sdp/$(version) --all)
	rm -rf "$(dkms_source)"
	$(lib)/userspace uninstall "$(DESTDIR)" "$(PREFIX)"
	cd "$(DESTDIR)$(PREFIX)/include" && rm -f homa.h \
		$(patsubst include/uapi/%,%,$(wildcard include/uapi/linux/*.h))
	rm -f "$(DESTDIR)$(PREFIX)/share/man/man7/sdp.7"
	$(if $(DESTDIR),,ldconfig)

clean:
	rm -rf "$${SDP_BUILD:-build}"

distclean: clean
	rm -rf "$${SDP_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/sdp}"
