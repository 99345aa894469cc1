# The guest of the accelerator probe: 512 bytes that run from the reset vector, with no firmware, and answer only after
# they have done in 64-bit long mode what every real guest does there. An answer from any earlier mode would prove
# nothing: seen was a nested host whose KVM runs real mode, protected mode and even simple 64-bit code by KVM's own
# instruction emulator, and gives up (or is 200 times slower than TCG) at the first thing a kernel does.
#
# The machine must have `-device isa-debug-exit,iobase=0xf4,iosize=4`: QEMU ends with status (value << 1) | 1, here 85.
#
# It is the end of a 64 KiB ROM given by -bios, which QEMU maps to end at 4 GiB: this file is linked at 0xfffffe00, and
# the reset vector is at 0xfffffff0. The stack and the page tables are in low memory, which is RAM.
#
# After a change, make the bytes of probe-guest.ts again (test/tool/accel.test.ts compares them):
#   as --64 probe-guest.S -o guest.o && ld -m elf_x86_64 -Ttext 0xfffffe00 guest.o -o guest.elf
#   objcopy -O binary -j .text guest.elf guest.bin && base64 -w 76 guest.bin

        .set    DEBUG_EXIT_PORT, 0xf4
        .set    ANSWER, 42                      # exit status 85
        .set    ROUNDS, 1 << 24

        .set    PML4, 0x1000                    # one page each
        .set    PDPT, 0x2000
        .set    HIGH_DIRECTORY, 0x3000          # maps 0xffe00000..0xffffffff, where this code is
        .set    LOW_DIRECTORY, 0x4000           # maps 0..0x1fffff, where stack and tables are
        .set    STACK_TOP, 0x8000

        .set    PRESENT_WRITABLE, 0x03
        .set    LARGE_PAGE, 0x83                # present, writable, 2 MiB

        .set    CR0_PROTECTED, 1 << 0
        .set    CR0_PAGING, 1 << 31
        .set    CR4_PAE, 1 << 5
        .set    CR4_OSFXSR, 1 << 9              # without it SSE is an invalid instruction
        .set    MSR_EFER, 0xc0000080
        .set    EFER_LONG_MODE, 1 << 8

        .text
        .globl  _start
_start:

# Real mode: CS has the hidden base 0xffff0000 of the reset, the other segments begin at 0.
        .code16
real_mode:
        cli
        cld
        lgdtl   %cs:(gdt_pointer - 0xffff0000)
        movl    $CR0_PROTECTED, %eax
        movl    %eax, %cr0
        ljmpl   $(code32 - gdt), $protected_mode

# Protected mode: the page tables, then paging and long mode at once.
        .code32
protected_mode:
        movl    $(data - gdt), %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss

        xorl    %eax, %eax
        movl    $PML4, %edi
        movl    $0x1000, %ecx                   # four pages of zeroes, in 4-byte words
        rep stosl
        movl    $(PDPT | PRESENT_WRITABLE), PML4
        movl    $(LOW_DIRECTORY | PRESENT_WRITABLE), PDPT
        movl    $(HIGH_DIRECTORY | PRESENT_WRITABLE), PDPT + 3 * 8
        movl    $LARGE_PAGE, LOW_DIRECTORY
        movl    $(0xffe00000 | LARGE_PAGE), HIGH_DIRECTORY + 511 * 8

        movl    $(CR4_PAE | CR4_OSFXSR), %eax
        movl    %eax, %cr4
        movl    $PML4, %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        rdmsr
        orl     $EFER_LONG_MODE, %eax
        wrmsr
        movl    $(CR0_PAGING | CR0_PROTECTED), %eax
        movl    %eax, %cr0
        ljmpl   $(code64 - gdt), $long_mode

# Long mode.
        .code64
long_mode:
        movl    $STACK_TOP, %esp

# 64-bit registers and stack: the upper half of the constant is ANSWER - 2, its lower half 2.
        movabsq $0x2800000002, %r8
        pushq   %r8
        popq    %rax
        movq    %rax, %rdx
        shrq    $32, %rdx
        addl    %edx, %eax

# SSE2, which KVM's instruction emulator does not have: eax goes through vector registers.
        movd    %eax, %xmm0
        pshufd  $0, %xmm0, %xmm1
        pinsrw  $0, %eax, %xmm2
        pand    %xmm1, %xmm0
        movd    %xmm0, %eax
        pextrw  $0, %xmm2, %edx

# 16 million rounds: 10 ms on a processor, 50 ms with TCG, 16 s in KVM's instruction emulator (measured).
        movl    $ROUNDS, %ecx
1:      decl    %ecx
        jnz     1b

        cmpl    $ANSWER, %eax
        jne     silent
        cmpl    $ANSWER, %edx
        jne     silent
        outl    %eax, $DEBUG_EXIT_PORT
silent:
        hlt
        jmp     silent

        .balign 8
gdt:
        .quad   0
code32: .quad   0x00cf9b000000ffff              # 32-bit code, base 0, 4 GiB, accessed
data:   .quad   0x00cf93000000ffff              # data, base 0, 4 GiB, accessed
code64: .quad   0x00af9b000000ffff              # 64-bit code, accessed
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

# The first instruction that the processor runs.
        .org    0x1f0
        .code16
        jmp     real_mode
        .org    0x200
