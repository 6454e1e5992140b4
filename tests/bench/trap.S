/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest of `make bench-trap`: reads of two registers of the null device's BAR, 20,000 each. Its
 * MSI-X table's first entry is the core's and costs an exit; its first scratch register is the
 * helper's and costs an exit and a question to it. On COM1 'a' before the first, 'b' between them, 'c'
 * after the second. PVH entry, 32-bit, no paging; powers off.
 */
	.set COM1, 0x3f8
	.set CONFIG_ADDRESS, 0xcf8
	.set CONFIG_DATA, 0xcfc
	.set DEVICE, 0x80000800
	.set TABLE, 0x1000
	.set READS, 20000

	.section .note.Xen, "a", @note
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	mov $DEVICE + 4, %eax		/* COMMAND: memory */
	call select
	mov $2, %eax
	out %eax, %dx
	mov $DEVICE + 0x10, %eax	/* BAR 0 */
	call select
	in %dx, %eax
	and $~0xf, %eax
	mov %eax, %ebx
	mov $'a', %al
	call say
	mov $READS, %ecx
1:	mov TABLE(%ebx), %eax
	loop 1b
	mov $'b', %al
	call say
	mov $READS, %ecx
1:	mov (%ebx), %eax
	loop 1b
	mov $'c', %al
	call say
	mov $0x604, %dx			/* PM1a_CNT: SLP_EN, S5 */
	mov $0x3400, %ax
	out %ax, %dx
1:	hlt
	jmp 1b

/* select: dx = the data port of the dword at address eax */
select:
	mov $CONFIG_ADDRESS, %dx
	out %eax, %dx
	mov $CONFIG_DATA, %dx
	ret

say:
	mov $COM1, %dx
	out %al, %dx
	ret

	.section .note.GNU-stack, "", @progbits
