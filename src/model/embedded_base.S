// The base that is built into the binary. Without PLINTH_BASE_FILE the range is empty.
        .section .rodata
        .balign 64
        .globl plinth_embedded_base
plinth_embedded_base:
#ifdef PLINTH_BASE_FILE
        .incbin PLINTH_BASE_FILE
#endif
        .globl plinth_embedded_base_end
plinth_embedded_base_end:
        .byte 0

        .section .note.GNU-stack, "", %progbits
