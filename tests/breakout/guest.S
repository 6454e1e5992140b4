/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest of a test VM: asks its two devices for their ids, over and over, and says on COM1 which
 * of them answered: "12" and a newline is a round in which all is well, "x2" one without the first.
 *
 * PVH entry, 32-bit, no paging. Before the rounds it arms the first MSI-X vector of device 1, where
 * its BAR lies below 4 GiB, so that its helper has an eventfd to misuse.
 */
	.set COM1, 0x3f8
	.set CONFIG_ADDRESS, 0xcf8
	.set CONFIG_DATA, 0xcfc
	.set DEVICE_1, 0x80000800
	.set WAIT, 10000

	.section .note.Xen, "a", @note
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
/* config_read: eax = the dword at address eax */
config_read:
	mov $CONFIG_ADDRESS, %dx
	out %eax, %dx
	mov $CONFIG_DATA, %dx
	in %dx, %eax
	ret

/* config_write: the dword at address eax = ecx */
config_write:
	mov $CONFIG_ADDRESS, %dx
	out %eax, %dx
	mov $CONFIG_DATA, %dx
	mov %ecx, %eax
	out %eax, %dx
	ret

	.globl start
start:
	call arm
rounds:
	mov $DEVICE_1, %eax
	mov $'1', %bl
	call look
	mov $DEVICE_1 + 0x800, %eax
	mov $'2', %bl
	call look
	mov $'\n', %al
	mov $COM1, %dx
	out %al, %dx
	mov $WAIT, %ecx
1:	loop 1b
	jmp rounds

/* look: bl, or 'x' when the device at eax gives all-ones, to COM1 */
look:
	call config_read
	cmp $-1, %eax
	jne 1f
	mov $'x', %bl
1:	mov %bl, %al
	mov $COM1, %dx
	out %al, %dx
	ret

/* arm: walks the capabilities to MSI-X (0x11); entry 0 of the table: a vector of this CPU's. */
arm:
	mov $DEVICE_1 + 0x34, %eax
	call config_read
	mov %al, %bl
	mov $16, %esi
1:	and $0xfc, %ebx
	jz 2f
	lea DEVICE_1(%ebx), %eax
	call config_read
	cmp $0x11, %al
	je 3f
	mov %ah, %bl
	dec %esi
	jnz 1b
2:	ret
3:	lea DEVICE_1 + 4(%ebx), %eax	/* table: offset, and BAR in the low bits */
	call config_read
	mov %eax, %edi
	and $7, %eax
	lea DEVICE_1 + 0x10(, %eax, 4), %eax
	mov %eax, %esi
	call config_read
	mov %eax, %ebp
	test $4, %al			/* 64 bits: below 4 GiB only */
	jz 4f
	lea 4(%esi), %eax
	call config_read
	test %eax, %eax
	jnz 2b
4:	and $~0xf, %ebp
	and $~7, %edi
	add %edi, %ebp
	mov $DEVICE_1 + 4, %eax		/* COMMAND: memory, bus master */
	mov $6, %ecx
	call config_write
	movl $0xfee00000, (%ebp)
	movl $0, 4(%ebp)
	movl $0x40, 8(%ebp)
	movl $0, 12(%ebp)
	lea DEVICE_1(%ebx), %eax	/* message control: enable */
	call config_read
	mov %eax, %ecx
	or $0x80000000, %ecx
	lea DEVICE_1(%ebx), %eax
	call config_write
	ret

	.section .note.GNU-stack, "", @progbits
