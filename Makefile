# make            build/drift
# make mnist      train on the bundled MNIST for two to five minutes, then draw digits
# make test       build and run every test           make test ONLY=gemm   those named so
# make golden     compare with the papers' official code     make golden ONLY=layers
# make check      make test in double precision with sanitizers
# make mutants    plant faults one by one: do the tests notice?      make mutants ONLY=nn/
# make torture    kill it, fill its disk, take its memory: what survives?
# make fuzz       damaged files for every reader     make fuzz MINUTES=10 ONLY=png
# make coverage   which lines and branches do the tests reach?
# make layers     prove that no layer includes a header of a later one
# make bench      time the kernels and a step
# make bench-growth   a step at many sizes: batch, pixels, channels, threads
# make bench-vs   the same step beside PyTorch's, if there is one: PYTHON=...
#
# Options: REAL=double       the whole engine in double precision
#          OMP=0             without threads
#          DEBUG=1           sanitizers, and dead memory filled with NaN
#          COVERAGE=1        count how often each line runs
#          REFERENCE=1       the plain kernels instead of the fast ones
#          WINOGRAD=0        3x3 convolutions as plain sums of products
#          PORTABLE=1        for any machine of this architecture, not just this one
#          CC=clang
REAL      ?= float
OMP       ?= 1
DEBUG     ?= 0
REFERENCE ?= 0
COVERAGE  ?= 0
FUZZ      ?= 0
WINOGRAD  ?= 1
PORTABLE  ?= 0
ONLY      ?=

LAYERS = tensor autograd nn diffusion apps          # each may use only those before it

CFLAGS = -std=c11 -D_DEFAULT_SOURCE -I. -g -MMD -MP -ffp-contract=fast -fno-math-errno \
         -fno-trapping-math -fopenmp-simd -Wall -Wextra -Werror -Wshadow \
         -Wstrict-prototypes -Wmissing-prototypes -Wno-unknown-pragmas \
         -Wno-missing-field-initializers -Wno-pass-failed
LDLIBS = -lm
OPTIMISE = -O3 $(if $(filter 1,$(PORTABLE)),,-march=native)
B = build/$(notdir $(CC))-$(REAL)

ifeq ($(REAL),double)
  CFLAGS += -DREAL_DOUBLE
endif
ifeq ($(OMP),1)
  CFLAGS += -fopenmp
  B := $B-omp
endif
ifeq ($(DEBUG),1)
  OPTIMISE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
              -fno-omit-frame-pointer -DDEBUG
  B := $B-debug
endif
ifeq ($(REFERENCE),1)
  CFLAGS += -DREFERENCE
  B := $B-reference
endif
ifeq ($(WINOGRAD),0)
  CFLAGS += -DNO_WINOGRAD
  B := $B-plain
endif
ifeq ($(PORTABLE),1)
  B := $B-portable
endif
FUZZER = $(if $(filter clang,$(notdir $(CC))),-fsanitize=fuzzer)
ifeq ($(FUZZ),1)
  OPTIMISE := -O2 -fsanitize=address,undefined -fno-sanitize-recover=all \
              -fno-omit-frame-pointer $(FUZZER:%=%-no-link)
  B := $B-fuzz
endif
ifeq ($(COVERAGE),1)
  CFLAGS += --coverage
  OPTIMISE := -O1 -Wno-maybe-uninitialized      # which sees less at -O1 than at -O3
  B := $B-coverage
endif
CFLAGS += $(OPTIMISE)

sources = $(foreach d,$1,$(wildcard $d/*.c))
LIBRARY = $(patsubst %.c,$B/%.o,$(call sources,tensor autograd nn diffusion apps/support))
APPS    = $(patsubst %.c,$B/%.o,$(call sources,apps))
TESTS   = $(patsubst %.c,$B/%,$(wildcard tests/test_*$(ONLY)*.c))
HARNESS = $(patsubst %.c,$B/%.o,tests/check.c tests/fuzz/targets.c tests/published_files.c \
            $(wildcard tests/golden_*.c) $(EXERCISES))
EXERCISES = $(wildcard tests/solutions_*.c tests/answers.c)    # answers: exercises.h
BENCH   = $(patsubst %.c,$B/%,$(call sources,bench))

drift: $B/drift
	@ln -sf $(patsubst build/%,%,$B/drift) build/drift

$B/drift: $(APPS) $B/libdrift.a
	@echo "  link $@"; $(CC) $(CFLAGS) $^ $(LDLIBS) -o $@
$B/libdrift.a: $(LIBRARY)
	@rm -f $@
	@$(AR) rcs $@ $^
$(BENCH): $B/%: $B/%.o $B/libdrift.a
	@echo "  link $@"; $(CC) $(CFLAGS) $^ $(LDLIBS) -o $@
$(TESTS) $B/tests/golden $B/tests/torture: $B/%: $B/%.o $(HARNESS) $B/libdrift.a
	@echo "  link $@"; $(CC) $(CFLAGS) $(filter %.o,$^) $B/libdrift.a $(LDLIBS) -o $@
$B/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  cc $<"; $(CC) $(CFLAGS) -c $< -o $@

mnist: drift
	build/drift train mnist --preset mini
	build/drift sample runs/mnist-mini --count 100 --show

# Golden numbers: where they are, and the files of which every result is computed.
GOLDEN   = tests/golden
FINISHED = layers blocks unet superres classifier inception \
           schedules spaced timestep_sampler gaussian loops schedulers augment edm.safe \
           metrics
golden: $B/tests/golden
	@$< "$(GOLDEN)" $(ONLY)

# Gradients and golden numbers are proved in double, whatever the precision of the rest.
chosen   = $(foreach t,$1,$(if $(findstring _$(ONLY),_$t)$(findstring $(ONLY),$t),$t))
COMPARED = $(addprefix $B/tests/,$(call chosen,golden))
PROOFS   = $(if $(filter float,$(REAL)),$(addprefix $(subst -float,-double,$B)/tests/,\
             $(call chosen,test_gradients test_exercises_autograd test_nn test_mlp \
             test_multiscale golden)))
proofs:
	@$(if $(PROOFS),$(MAKE) --no-print-directory REAL=double $(PROOFS))
test: layers drift $(TESTS) $(COMPARED) proofs $B/tests/torture $B/tests/torture-drift
	@DRIFT=$B/drift tests/run $(foreach t,$(TESTS) $(COMPARED) $(PROOFS),\
	  "$t$(if $(filter %/golden,$t), $(GOLDEN) $(FINISHED))")

check:
	$(MAKE) test REAL=double DEBUG=1

mutants:
	@CC="$(CC)" tests/mutants $(ONLY)

# The same objects; the linker puts tests/torture_calls.c before the system's calls.
WRAPPED = open write fsync rename mprotect arena_alloc arena_alloc_array arena_printf pool_alloc
$B/tests/torture-drift: $(APPS) $B/tests/torture_calls.o $B/libdrift.a
	@echo "  link $@"; $(CC) $(CFLAGS) $^ $(LDLIBS) $(WRAPPED:%=-Wl,--wrap=%) -o $@
$B/tests/torture: $B/tests/torture_runs.o $B/tests/torture_process.o
torture: $B/tests/torture $B/tests/torture-drift
	@MINUTES=$(MINUTES) DRIFT=$B/tests/torture-drift $< $(ONLY)

# Sanitizers watch the readers, with damaged copies of tests/fuzz/seeds before them.  clang has a
# driver that looks for damage which leads to lines not seen before; with gcc ours does it blindly.
MINUTES ?= 1
$B/tests/fuzz/drive: $(if $(FUZZER),,$B/tests/fuzz/mutate.o) $B/tests/fuzz/targets.o $B/libdrift.a
	@echo "  link $@"; $(CC) $(CFLAGS) $(FUZZER) $^ $(LDLIBS) -o $@
fuzzed: $B/tests/fuzz/drive
	@ASAN_OPTIONS=detect_leaks=0 $(if $(FUZZER),tests/fuzz/guided )$< $(MINUTES) $(ONLY)
fuzz:
	@$(MAKE) --no-print-directory FUZZ=1 OMP=0 fuzzed

# The table is tests/coverage's; the tests are run in a build of their own.
covered: $B/drift $(TESTS) $(COMPARED)
	@find $B -name '*.gcda' -exec rm {} +
	@DRIFT=$B/drift tests/run $(TESTS) $(COMPARED:%="% $(GOLDEN) $(FINISHED)")
	@tests/coverage $B
coverage:
	@$(MAKE) --no-print-directory COVERAGE=1 OMP=0 covered

bench: $(BENCH)
	@$B/bench/kernels && $B/bench/step
bench-growth: $B/bench/growth $B/bench/step
	@$< bench
bench-vs: $B/bench/step
	@bench/versus $<

# An include names its layer, so the rule "only itself and the layers before" is a grep.
layers:
	@seen=; for d in $(LAYERS); do seen="$$seen$${seen:+|}$$d"; \
	  ! grep -rnE --include='*.[ch]' '^#include "' $$d | grep -vE "\"($$seen)/" || \
	    { echo "layers: $$d may include only $$seen"; exit 1; }; done

clean:
	rm -rf build

.PHONY: proofs drift mnist test golden check mutants torture fuzz fuzzed covered coverage bench \
        bench-growth bench-vs layers clean
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
